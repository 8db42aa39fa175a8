"""The simulated robot in one process, without ROS and as fast as the machine allows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ams_ros.errors import RobotError
from ams_ros.robot.profile import RobotProfile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.robot.stretches import cut_into_stretches
from ams_ros.simulation.control_loop import ControlLoop, arm_settings, gripper_settings
from ams_ros.simulation.faults.fault import Fault
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tolerances import ToleranceRequest
from ams_ros.simulation.trajectory import Trajectory, Waypoint
from ams_ros.simulation.trajectory_controller import ControllerSettings, GoalEnd, GoalStatus
from ams_ros.types import ActionSlice, Execution, Float64Array, JointSample, Observation

IMAGE_SIZE = 128
"""Width and height (px) of the pictures a policy is given, the size the camera topics carry."""

_STILL = 0.01
"""An arm with all joints below this (rad/s) holds still."""

_SETTLING = 2.0
"""An arm that was stopped is given up to this long (s) to hold still."""

RESULT_MARGIN = 5.0
"""A goal's result is waited for up to this long (s) past its trajectory's end."""

_SILENCE = 1.0
"""Joint states may be silent this long (s)."""


class SimulatedRobot:
    """A plant with its controllers; implements robot.protocol.Robot in simulation time.

    Time passes only inside `execute`, so an inference costs none.
    """

    def __init__(
        self,
        plant: Plant,
        profile: RobotProfile | None = None,
        settings: ControllerSettings | None = None,
        cameras: Sequence[str] = ("front", "wrist"),
    ) -> None:
        """Put controllers around `plant` (default: those of its arm); `cameras` are what `observe` looks through."""
        profile = profile or plant.profile
        self.plant = plant
        self._settings = settings or arm_settings(profile)
        self._gripper_settings = gripper_settings(profile)
        self._cameras = tuple(cameras)
        self._take_over()

    def _take_over(self) -> None:
        self._loop = ControlLoop(self.plant, self._settings, self._gripper_settings)
        self._gripper_target: float | None = None

    def reset(self, layout: SceneLayout) -> None:
        """Build the scene; the arm stands at its start pose and holds it, no goal is running."""
        self.plant.reset(layout)
        self._take_over()

    def joints(self) -> JointSample:
        """The joints as the driver tells them: arm joints, then the left finger.

        Raises RobotError when they are silent.
        """
        until = self.plant.time + _SILENCE
        while (sample := self._loop.tap.joints()) is None:
            if self.plant.time >= until:
                raise RobotError(f"no joint states for {_SILENCE} s")
            self._tick()
        return sample

    def observe(self, instruction: str) -> Observation:
        """What the cameras and joints show right now; images 128 x 128. Raises RobotError when these are silent."""
        joints = self.joints()
        return Observation(
            stamp=joints.stamp,
            instruction=instruction,
            joints=joints.position[:-1],
            gripper=float(joints.position[-1]),
            images={camera: self.plant.render(camera, IMAGE_SIZE, IMAGE_SIZE) for camera in self._cameras},
        )

    def execute(self, action_slice: ActionSlice, stop: StopRequest) -> Execution:
        """Run the slice; see robot.protocol.Robot. Raises RobotError when the controller refuses the trajectory."""
        steps = 0
        for stretch in cut_into_stretches(action_slice, self._gripper_target):
            if stop.requested:
                return Execution(steps, completed=False, message=stop.reason)
            if stretch.gripper is not None:
                self._command_gripper(stretch.gripper)
            begin = self.plant.time
            end, stopped_at = self._follow(stretch.joints, action_slice.period, stop)
            if end.status is not GoalStatus.SUCCEEDED:
                self._settle()
                run = int((stopped_at - begin) / action_slice.period + 1e-9)
                reason = stop.reason if end.status is GoalStatus.CANCELED else end.message
                return Execution(steps + min(run, stretch.steps), completed=False, message=reason)
            steps += stretch.steps
        return Execution(steps, completed=True)

    def inject(self, fault: Fault) -> None:
        """Let something go wrong, `fault.onset` s from now. Raises ConfigurationError."""
        self._loop.faults.add(fault, self.plant.time)

    def end_faults(self) -> None:
        """End all faults, also those to come; a reset does so too."""
        self._loop.end_faults()

    def effective_since(self, fault: str) -> float | None:
        """Truth, for scoring and tests only: simulation time (s) since when a fault had its effect, None for never."""
        return self._loop.effective_since(fault)

    def advance(self, seconds: float) -> None:
        """Let time pass in whole controller periods, controllers running."""
        for _ in range(round(seconds / self._loop.period)):
            self._tick()

    def _command_gripper(self, target: float) -> None:
        reason = self._loop.gripper.reason_to_reject(target)
        if reason is not None:
            raise RobotError(f"the gripper controller rejected the goal: {reason}")
        self._loop.gripper.accept(target, self.plant.time)
        self._gripper_target = target

    def _send(self, joints: Float64Array, period: float) -> int:
        """Give the arm's controller a goal; returns its number."""
        arm = self._loop.arm
        points = tuple(Waypoint((step + 1) * period, row) for step, row in enumerate(joints))
        trajectory = Trajectory(arm.settings.joint_names, points)
        reason = arm.reason_to_reject(trajectory, self.plant.time)
        if reason is not None:
            raise RobotError(f"the arm controller rejected the goal: {reason}")
        return arm.accept(trajectory, ToleranceRequest(), self.plant.time)[0]

    def _follow(self, joints: Float64Array, period: float, stop: StopRequest) -> tuple[GoalEnd, float]:
        """Run one goal to its end; returns it and when the motion ended or was stopped."""
        arm, goal = self._loop.arm, self._send(joints, period)
        moving_until = self.plant.time
        until = moving_until + len(joints) * period + RESULT_MARGIN
        while self.plant.time < until:
            if arm.goal == goal:
                moving_until = self.plant.time
            if stop.requested:
                self._loop.cancel_arm(goal)
            for end in self._tick():
                if end.goal == goal:
                    return end, moving_until
        raise RobotError(f"the arm controller gave no result within {RESULT_MARGIN} s of a trajectory's end")

    def _tick(self) -> tuple[GoalEnd, ...]:
        self._loop.update()
        self.plant.advance(self._loop.period)
        self._loop.gripper.monitor(self.plant.time)
        return self._loop.monitor_arm()[1]

    def _settle(self) -> None:
        until = self.plant.time + _SETTLING
        while self.plant.time < until:
            velocity = self.plant.joints().velocity
            if velocity is None or np.abs(velocity[:-1]).max() < _STILL:
                return
            self._tick()
