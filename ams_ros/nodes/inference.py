"""The inference node: turns the present cameras and joints into an action slice on request."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import Image, JointState

from ams_ros.errors import AmsError, ConfigurationError
from ams_ros.nodes.conversions import reuse_message, slice_message, slice_request_of, stage_messages
from ams_ros.nodes.deferred_service import Reply, defer_replies
from ams_ros.nodes.latest import Latest
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.observation_feed import ObservationFeed
from ams_ros.nodes.parameters import Setting
from ams_ros.nodes.process import run_node
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.policy.protocol import PolicyDescription
from ams_ros.robot.profile import RobotProfile, load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.srv import InferSlice
from ams_ros.types import CameraImage, Observation, SliceRequest

_WARM_UP_PICTURE = (128, 128, 3)


@dataclass(frozen=True, slots=True)
class _Job:
    """One request. asked: ROS time of its arrival, s."""

    request: Any
    response: Any
    reply: Reply
    asked: float

    def refuse(self, message: str) -> None:
        self.response.success, self.response.message = False, message
        self.reply(self.response)


class InferenceNode(AmsNode):
    """Serves ~/infer_slice: one inference at a time, in its own thread; a few requests may wait, more are refused."""

    SETTINGS = (
        Setting("policy", "cubes", "checkpoint: the name of a shipped one, or a folder"),
        Setting("robot", "widowx_250s", "robot profile under config/robots; names the gripper joint"),
        Setting("threads", 1, "CPU threads of one inference", 1, 64),
        Setting("max_age", 1.0, "wall time a camera or the joints may be silent, s", 0.01, 60.0),
        Setting("observation_wait", 2.0, "longest wait for pictures taken after the request, s", 0.01, 60.0),
        Setting("queue_size", 4, "requests that may wait for the one being inferred", 1, 100),
        Setting("joint_states_topic", "/joint_states", "sensor_msgs/JointState of arm and gripper"),
        Setting(
            "camera_topic", "/camera/{camera}/image_raw", "sensor_msgs/Image; {camera} stands for the camera's name"
        ),
    )

    def __init__(self) -> None:
        """Wait to be configured."""
        super().__init__("inference")
        self._jobs_waiting: queue.Queue[_Job] = queue.Queue()
        self._serving = False
        # So that no request slips into the queue after deactivation has emptied it.
        self._serving_lock = threading.Lock()

    def _setup(self) -> None:
        topic = self.setting("camera_topic")
        if "{camera}" not in topic:
            raise ConfigurationError("camera_topic", topic, "a topic name with {camera} in it")
        profile = load_profile(self.setting("robot"))
        policy = load_policy(self.setting("policy"), threads=self.setting("threads"))
        description = policy.description
        if description.joint_names != profile.joint_names:
            allowed = f"a policy for {', '.join(profile.joint_names)}, the joints of robot {profile.name}"
            raise ConfigurationError(
                "policy", f"{description.model_id} for {', '.join(description.joint_names)}", allowed
            )
        self._inference, self._profile = SliceInference(policy), profile
        self._feed = ObservationFeed(
            {
                name: Latest(self, Image, topic.replace("{camera}", name), f"camera {name}")
                for name in description.cameras
            },
            Latest(self, JointState, self.setting("joint_states_topic"), "joint states"),
            (*profile.joint_names, profile.gripper.joint),
            self.setting("max_age"),
            self.setting("observation_wait"),
        )
        self._jobs_waiting = queue.Queue(self.setting("queue_size"))
        defer_replies(self.create_service(InferSlice, "~/infer_slice", _not_called), self._accept)
        self.get_logger().info(f"policy {description.model_id}, weights {description.weights_hash[:12]}")

    def _activate(self) -> None:
        description = self._inference.policy.description
        # The first inference allocates and compiles; nobody should wait for that during a task.
        observation = _warm_up_observation(description, self._profile)
        warm_up = self._inference.infer(observation, SliceRequest(observation.instruction, seed=0, bypass=True))
        self.get_logger().info(f"warm-up inference: {warm_up.seconds * 1000:.0f} ms")
        self.start_thread("inference", self._work)
        self._serving = True

    def _deactivate(self, reason: str) -> None:
        with self._serving_lock:
            self._serving = False
            while not self._jobs_waiting.empty():
                self._drop_one(f"the inference node stopped: {reason}")

    def _drop_one(self, message: str) -> None:
        try:
            self._jobs_waiting.get_nowait().refuse(message)
        except queue.Empty:
            return  # the worker was faster, and answers it

    def _teardown(self) -> None:
        # Weights are the bulk of this process; without this they would stay until the next configure.
        self.__dict__.pop("_inference", None)
        self.__dict__.pop("_feed", None)

    def _accept(self, request: Any, response: Any, reply: Reply) -> None:
        job = _Job(request, response, reply, self.get_clock().now().nanoseconds * 1e-9)
        with self._serving_lock:
            if not self._serving:
                job.refuse(f"the inference node is {self.state_label}: activate it")
                return
            # Only this thread puts, so a place that is free now stays free.
            if not self._jobs_waiting.full():
                self._jobs_waiting.put_nowait(job)
                return
        job.refuse(f"the inference node is busy: {self._jobs_waiting.maxsize} requests wait already (queue_size)")

    def _work(self, stop: StopRequest) -> None:
        while not stop.requested:
            try:
                job = self._jobs_waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            try:
                self._answer(job, stop)
            except BaseException as error:
                # The client must not wait in vain for an answer that this dying thread owes.
                job.refuse(f"the inference node failed: {type(error).__name__}: {error}")
                raise

    def _answer(self, job: _Job, stop: StopRequest) -> None:
        try:
            request = slice_request_of(job.request)
            observation = self._feed.observe(request.instruction, job.asked, stop)
            inference = self._inference.infer(observation, request)
        except AmsError as error:
            self.get_logger().warning(f"no slice: {error}")
            job.refuse(str(error))
            return
        names = self._inference.policy.description.joint_names
        job.response.success = True
        job.response.slice = slice_message(inference.slice, names, observation.stamp)
        job.response.stages = stage_messages(inference)
        job.response.reuse = reuse_message(inference.reuse)
        job.reply(job.response)


def _warm_up_observation(description: PolicyDescription, profile: RobotProfile) -> Observation:
    picture = np.zeros(_WARM_UP_PICTURE, dtype=np.uint8)
    return Observation(
        stamp=0.0,
        instruction=next(iter(description.instructions), "warm up"),
        joints=profile.start,
        gripper=profile.gripper.upper,
        images={camera: CameraImage(camera, 0.0, picture) for camera in description.cameras},
    )


def _not_called(request: Any, response: Any) -> Any:
    raise AssertionError("replaced by defer_replies before the executor sees the service")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to end."""
    return run_node(InferenceNode)


if __name__ == "__main__":
    sys.exit(main())
