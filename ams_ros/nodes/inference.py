"""The inference node: turns the present cameras and joints into an action slice on request."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from sensor_msgs.msg import Image, JointState

from ams_ros.context.eviction.choice import POLICIES
from ams_ros.context.reuse.guarded_store import CONNECTED
from ams_ros.context.reuse.reuse_options import ReuseOptions
from ams_ros.context.reuse.reusing_inference import ReusingInference
from ams_ros.errors import AmsError, ConfigurationError
from ams_ros.nodes.conversions import reuse_message, slice_message, slice_request_of, stage_messages
from ams_ros.nodes.deferred_service import Reply, defer_replies, not_called
from ams_ros.nodes.heartbeat import HeartbeatPublisher
from ams_ros.nodes.latest import Latest
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.observation_feed import ObservationFeed
from ams_ros.nodes.parameters import Setting
from ams_ros.nodes.process import run_node
from ams_ros.nodes.ros_context_store import RosContextStore
from ams_ros.nodes.work_lane import Job, WorkLane
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.policy.protocol import Policy, PolicyDescription
from ams_ros.robot.profile import RobotProfile, load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.srv import InferSlice
from ams_ros.types import CameraImage, Observation, SliceRequest

_WARM_UP_PICTURE = (128, 128, 3)


class InferenceNode(AmsNode):
    """Serves ~/infer_slice: one inference at a time, in its own thread; a few requests may wait, more are refused.

    Asks the context pool before each inference and stores what was new. A pool that is away is a warning on ~/status
    and nothing else.
    """

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
        Setting("use_pool", True, "reuse what earlier inferences computed, and store what this one computes"),
        Setting("pool", "context_pool", "name of the context pool's node; relative to this node's namespace"),
        Setting("pool_timeout", 0.2, "longest wait for the pool; after it the pool counts as absent, s", 0.001, 10.0),
        Setting("device_bytes", 256 * 2**20, "kept on the policy's own device; 0: nothing", 0, 2**44),
        Setting("device_eviction", "priority", f"what leaves the device first: {', '.join(POLICIES)}"),
        Setting("calibration", "", "id of the cameras' calibration; contexts of another one are not reused"),
        Setting("approximate.threshold", 0.0, "largest patch difference that counts as the same; 0: exact", 0.0, 1.0),
        Setting("approximate.maximum_age", 8, "slices an encoded picture may stand for others", 1, 10000),
    )

    def __init__(self) -> None:
        """Wait to be configured."""
        super().__init__("inference")
        self._store: RosContextStore | None = None

    def _setup(self) -> None:
        topic = self.setting("camera_topic")
        if "{camera}" not in topic:
            raise ConfigurationError("camera_topic", topic, "a topic name with {camera} in it")
        profile, options = load_profile(self.setting("robot")), self._reuse_options()
        policy = load_policy(self.setting("policy"), threads=self.setting("threads"))
        description = policy.description
        if description.joint_names != profile.joint_names:
            allowed = f"a policy for {', '.join(profile.joint_names)}, the joints of robot {profile.name}"
            raise ConfigurationError(
                "policy", f"{description.model_id} for {', '.join(description.joint_names)}", allowed
            )
        self._policy, self._profile = policy, profile
        self._inference = self._make_inference(policy, options)
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
        size = self.setting("queue_size")
        self._lane = WorkLane(size, f"the inference node is busy: {size} requests wait already (queue_size)")
        defer_replies(self.create_service(InferSlice, "~/infer_slice", not_called), self._accept)
        HeartbeatPublisher(self)
        self.get_logger().info(f"policy {description.model_id}, weights {description.weights_hash[:12]}")

    def _reuse_options(self) -> ReuseOptions:
        return ReuseOptions(
            robot=self.setting("robot"),
            calibration_id=self.setting("calibration"),
            device_bytes=self.setting("device_bytes"),
            device_policy=self.setting("device_eviction"),
            approximate_threshold=self.setting("approximate.threshold"),
            approximate_maximum_age=self.setting("approximate.maximum_age"),
        )

    def _make_inference(self, policy: Policy, options: ReuseOptions) -> SliceInference | ReusingInference:
        if not self.setting("use_pool"):
            return SliceInference(policy)
        self._store = RosContextStore(self, self.setting("pool"), self.setting("pool_timeout"), self._tell_pool)
        return ReusingInference(policy, self._store, options)

    def _activate(self) -> None:
        # The first inference allocates and compiles; nobody should wait for that during a task.
        observation = _warm_up_observation(self._policy.description, self._profile)
        warm_up = self._inference.infer(observation, SliceRequest(observation.instruction, seed=0, bypass=True))
        self.get_logger().info(f"warm-up inference: {warm_up.seconds * 1000:.0f} ms")
        if self._store is not None:
            self.start_thread("context store", self._store.work)
        self.start_thread("inference", self._lane.work)
        self._lane.open()

    def _deactivate(self, reason: str) -> None:
        self._lane.close(f"the inference node stopped: {reason}")

    def _teardown(self) -> None:
        inference = self.__dict__.pop("_inference", None)
        if isinstance(inference, ReusingInference):
            inference.close()
        store, self._store = self._store, None
        if store is not None:
            store.close()
        # Weights are the bulk of this process; without this they would stay until the next configure.
        self.__dict__.pop("_policy", None)
        self.__dict__.pop("_feed", None)

    def _tell_pool(self, state: str) -> None:
        name = self.setting("pool")
        if state == CONNECTED:
            self.set_concern("")
            self.get_logger().info(f"the context pool {name} is there")
            return
        self.set_concern(f"the context pool {name} is {state}: nothing is reused from it and nothing stored")
        self.get_logger().warning(f"the context pool {name} is {state}")

    def _accept(self, request: Any, response: Any, reply: Reply) -> None:
        asked = self.get_clock().now().nanoseconds * 1e-9

        def refuse(message: str) -> None:
            response.success, response.message = False, message
            reply(response)

        def answer(stop: StopRequest) -> None:
            try:
                self._infer(request, response, asked, stop)
            except AmsError as error:
                self.get_logger().warning(f"no slice: {error}")
                refuse(str(error))
                return
            reply(response)

        self._lane.take(Job(answer, refuse), f"the inference node is {self.state_label}: activate it")

    def _infer(self, request: Any, response: Any, asked: float, stop: StopRequest) -> None:
        """Fill the response; asked: ROS time of the request's arrival, s."""
        wanted = slice_request_of(request)
        observation = self._feed.observe(wanted.instruction, asked, stop)
        inference = self._inference.infer(observation, wanted)
        names = self._policy.description.joint_names
        response.slice = slice_message(inference.slice, names, observation.stamp)
        response.stages = stage_messages(inference)
        response.reuse = reuse_message(inference.reuse)
        response.success = True


def _warm_up_observation(description: PolicyDescription, profile: RobotProfile) -> Observation:
    picture = np.zeros(_WARM_UP_PICTURE, dtype=np.uint8)
    return Observation(
        stamp=0.0,
        instruction=next(iter(description.instructions), "warm up"),
        joints=profile.start,
        gripper=profile.gripper.upper,
        images={camera: CameraImage(camera, 0.0, picture) for camera in description.cameras},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to end."""
    return run_node(InferenceNode)


if __name__ == "__main__":
    sys.exit(main())
