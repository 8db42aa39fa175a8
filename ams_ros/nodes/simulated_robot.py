"""The simulated robot's node: stands where a robot's driver and its controllers stand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ams_ros.errors import AmsError
from ams_ros.nodes.deferred_service import Reply, defer_replies, not_called
from ams_ros.nodes.driver_services import DriverServices
from ams_ros.nodes.follow_joint_trajectory_server import FollowJointTrajectoryServer
from ams_ros.nodes.gripper_command_server import GripperCommandServer
from ams_ros.nodes.handoff import Handoff
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.pace import Pace
from ams_ros.nodes.parameters import Setting, declare
from ams_ros.nodes.picture_participant import PictureParticipant
from ams_ros.nodes.plant_thread import Beat, PlantThread
from ams_ros.nodes.process import run_node
from ams_ros.nodes.robot_publishers import CameraPublisher, JointStatePublisher, WrenchPublisher, clock_publisher
from ams_ros.nodes.simulated_robot_settings import (
    ROBOT,
    arm_settings_from,
    camera_topic,
    check_rate,
    gripper_settings_from,
    settings_for,
)
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.rendering import choose_gl
from ams_ros.simulation.tasks import find_task
from ams_ros.srv import ResetScene, ScoreScene

_BUILD_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the scene was drawn from."""

    task: str
    objects: int
    seed: int


class SimulatedRobotNode(AmsNode):
    """Joint states, wrenches, cameras, actions and services of a simulated arm.

    The plant lives in one thread from configure to cleanup; time passes in it while the node is active.
    """

    SETTINGS = settings_for(load_profile(str(ROBOT.default)))

    def __init__(self) -> None:
        """Wait to be configured."""
        super().__init__("simulated_robot")
        self._trajectories: FollowJointTrajectoryServer | None = None
        self._gripper: GripperCommandServer | None = None
        self._pictures: PictureParticipant | None = None

    def _settings(self) -> tuple[Setting, ...]:
        """Those of the robot that is chosen at the start, whose joints some are named after."""
        declare(self, (ROBOT,))
        self._profile = load_profile(self.setting(ROBOT.name))
        return settings_for(self._profile)

    # The four verbs.

    def _setup(self) -> None:
        # Pictures are drawn once somebody wants one; that none can be drawn is better known now.
        choose_gl()
        simulated_time = self.get_parameter("use_sim_time").value
        self._scene = _Scene(self.setting("task"), self.setting("objects"), self.setting("seed"))
        layout = find_task(self._scene.task).sample(self._scene.seed, self._scene.objects)
        profile = self._profile
        arm = arm_settings_from(self.setting, profile)
        gripper = gripper_settings_from(self.setting, profile)
        deadband, timestep = self.setting("deadband"), self.setting("timestep")
        check_rate(self.setting("joint_state_rate"), timestep)

        def build() -> ControlLoop:
            loop = ControlLoop(Plant(profile, deadband=deadband, timestep=timestep), arm, gripper)
            loop.reset(layout)
            loop.deactivate("the node is not active yet")
            return loop

        self._pace = Pace(self.setting("speed"), simulated_time=simulated_time)
        self._plant_thread = PlantThread(build, self._pace)
        self.start_thread("plant", self._plant_thread.run)
        loop = self._plant_thread.wait_built(_BUILD_TIMEOUT)
        self._offer_actions()
        self._pictures = PictureParticipant(self)
        self._plant_thread.call(lambda _: self._plant_thread.set_beats(self._beats(loop, simulated_time)))
        defer_replies(self.create_service(ResetScene, "~/reset", not_called), self._reset)
        defer_replies(self.create_service(ScoreScene, "~/score", not_called), self._score)
        DriverServices(self, self._plant_thread)

    def _activate(self) -> None:
        def begin(loop: ControlLoop) -> None:
            loop.activate()
            self._plant_thread.resume(loop)

        self._plant_thread.call(begin)

    def _deactivate(self, reason: str) -> None:
        def halt(loop: ControlLoop) -> None:
            loop.end_faults()
            self._abort_goals(loop, f"Goal ended because the controller was deactivated: {reason}")
            self._plant_thread.pause(loop)

        try:
            self._plant_thread.call(halt)
        finally:
            # Whatever state the plant is in, nobody is left waiting for a result.
            for server in (self._trajectories, self._gripper):
                if server is not None and not server.close(reason):
                    self.get_logger().warning("a goal's result could not be sent before the node stopped")

    def _teardown(self) -> None:
        self._trajectories = self._gripper = None
        if self._pictures is not None:
            self._pictures.close()
            self._pictures = None

    # Putting it together.

    def _offer_actions(self) -> None:
        handoff, timeout = Handoff(self), self.setting("result_timeout")
        thread = self._plant_thread
        self._trajectories = FollowJointTrajectoryServer(
            self, self.setting("arm_action"), thread, handoff, result_timeout=timeout
        )
        self._gripper = GripperCommandServer(
            self, self.setting("gripper_action"), thread, handoff, result_timeout=timeout
        )

    def _beats(self, loop: ControlLoop, simulated_time: bool) -> list[Beat]:
        plant, pace, trajectories, gripper = loop.plant, self._pace, self._trajectories, self._gripper
        assert trajectories is not None
        assert gripper is not None

        def control() -> None:
            loop.update()
            trajectories.report(loop)
            gripper.report(loop)

        rate = 1.0 / loop.period
        joint_rate, camera_rate = self.setting("joint_state_rate"), self.setting("camera_rate")
        joints = JointStatePublisher(self, self.setting("joint_states_topic"), loop.tap, pace)
        wrench = WrenchPublisher(self, self.setting("wrench_topic"), loop.tap, pace)
        clock = [Beat(rate, clock_publisher(self, plant), thinned=True)] if simulated_time else []
        cameras = [Beat(camera_rate, self._camera(loop, camera).publish, thinned=True) for camera in plant.cameras]
        return [
            *clock,
            Beat(rate, control),
            Beat(joint_rate, joints.publish, thinned=True),
            Beat(joint_rate, wrench.publish, thinned=True),
            *cameras,
            Beat(1.0, self._complain),
        ]

    def _complain(self) -> None:
        lost = self._pace.take_lost()
        if lost > 0.0:
            self.get_logger().warning(f"simulation stood still for {lost:.1f} s: this machine was too busy for it")

    def _camera(self, loop: ControlLoop, camera: str) -> CameraPublisher:
        small = self.setting("camera_size")
        large = (self.setting("overview_width"), self.setting("overview_height"))
        assert self._pictures is not None
        topics = (camera_topic(self.setting, name, camera) for name in ("camera_topic", "camera_info_topic"))
        image, info = map(self.resolve_topic_name, topics)
        return CameraPublisher(
            # Pictures of this size are too many datagrams at once, and nobody needs them to go on working.
            self if camera == "overview" else self._pictures.node,
            (image, info),
            loop.plant,
            self._pace,
            camera=camera,
            size=large if camera == "overview" else (small, small),
        )

    # Services; answered from the plant's thread.

    def _abort_goals(self, loop: ControlLoop, reason: str) -> None:
        trajectories, gripper = self._trajectories, self._gripper
        if trajectories is not None and gripper is not None:
            loop.deactivate(reason)
            trajectories.report(loop)
            gripper.report(loop)

    def _reset(self, request: Any, response: Any, reply: Reply) -> None:
        def reset(loop: ControlLoop) -> None:
            try:
                task = find_task(request.task)
                layout = task.sample(request.seed, request.objects)
            except AmsError as error:
                response.success, response.message = False, str(error)
            else:
                self._abort_goals(loop, "Goal ended because the scene was reset.")
                loop.reset(layout)
                if not self._plant_thread.running:
                    loop.deactivate("the node is not active")
                self._scene = _Scene(request.task, request.objects, request.seed)
                response.success, response.instruction = True, task.instruction
            reply(response)

        self._plant_thread.post(reset)

    def _score(self, request: Any, response: Any, reply: Reply) -> None:
        def score(loop: ControlLoop) -> None:
            scene = self._scene
            response.task, response.objects, response.seed = scene.task, scene.objects, scene.seed
            response.placed = find_task(scene.task).placed(loop.plant)
            response.success = response.placed == scene.objects
            reply(response)

        self._plant_thread.post(score)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to end."""
    return run_node(SimulatedRobotNode)


if __name__ == "__main__":
    sys.exit(main())
