"""What conditions look at: the robot's state, and what has to be remembered or worked out beyond it."""

from __future__ import annotations

import math

import numpy as np

from ams_ros.exception.plan import Purpose
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.state import RobotState
from ams_ros.exception.wrench_compensation import WrenchCompensation
from ams_ros.robot.stretches import GRIPPER_STEP
from ams_ros.types import Float64Array

UNKNOWN = float("nan")
"""The value of a quantity that nobody has measured or that has no meaning now."""

_SMOOTHING = 0.02
"""Time constant of the external force's low-pass, s."""


class Readings:
    """The values behind the quantities of one rule. Arrays are overwritten in place."""

    def __init__(self, robot: WatchedRobot) -> None:
        """Nothing seen yet."""
        profile = robot.profile
        self.profile, self._dynamics = profile, robot.dynamics
        self.state = RobotState(len(profile.joints))
        self.top_speed = profile.velocity
        self.commanded = UNKNOWN
        """Finger target that an announced plan gave last, m."""
        self.effect: Float64Array = np.full(len(profile.joints), UNKNOWN)
        """(dof,) part of its planned motion that each joint made in the sub-slice that ended; NaN where little or
        nothing was planned."""
        self.tip_effect = UNKNOWN
        self.effect_text = ""
        """The joint of the smallest effect, and its motion."""
        self._ended = UNKNOWN
        # No load is weighed: what hangs from the gripper is a force that was applied, too.
        self._compensation = WrenchCompensation(robot, _SMOOTHING, payload=0.0)
        self._tip, self._tip_of = np.full(3, UNKNOWN), -1
        self._jacobian_of, self._tip_speed = -1, UNKNOWN

    def begin(self, state: RobotState) -> None:
        """A plan came under execution, or execution ended."""
        self.state = state
        plan = state.plan
        if plan is not None and not np.isnan(plan.gripper):
            self.commanded = plan.gripper

    def take(self, state: RobotState) -> None:
        """A sample arrived."""
        self.state = state
        if state.executing:
            self._ended = np.inf
        elif self._ended == np.inf:
            self._ended = state.stamp

    def forget(self) -> None:
        """A stop was released or the robot restarted: stamps and sample numbers may begin anew."""
        self._ended, self._tip_of, self._jacobian_of = UNKNOWN, -1, -1
        self.effect[:] = UNKNOWN
        self.tip_effect = UNKNOWN
        self._compensation.reset()

    @property
    def since_end(self) -> float:
        """Time (s) since execution ended; unknown while something is under execution."""
        return self.state.stamp - self._ended if self._ended < np.inf else UNKNOWN

    @property
    def plan_gripper_change(self) -> int:
        """1 when the plan opens the fingers, -1 when it closes them, else 0."""
        plan = self.state.plan
        if plan is None:
            return 0
        change = plan.gripper - plan.previous_gripper
        return int(change > GRIPPER_STEP) - int(change < -GRIPPER_STEP)

    @property
    def recovering(self) -> bool:
        """Whether the plan is a recovery."""
        plan = self.state.plan
        return plan is not None and plan.purpose is Purpose.RECOVERY

    @property
    def external_force(self) -> float:
        """Force (N) that the world exerts on the gripper; unknown before the sensor's offset is."""
        return math.hypot(*self._compensation.external[:3]) if self._compensation.tared else UNKNOWN

    def compensate(self, state: RobotState) -> None:
        """A wrench sample arrived, and somebody wants to know the external force."""
        self._compensation.update(state)

    def gap(self, finger: float) -> float:
        """Between the fingers beyond their closed stop, m, at a finger position in m."""
        return 2.0 * (finger - self.profile.gripper.lower)

    def tip(self, axis: int) -> float:
        """Place of the tip along an axis of the base, m."""
        if self._tip_of != self.state.joint_samples:
            self._tip_of = self.state.joint_samples
            self._tip[:] = self.tip_at(self.state.position)
        return float(self._tip[axis])

    def tip_at(self, position: Float64Array) -> Float64Array:
        """(3,) m, of the tip in the base link at joint angles (dof,) rad; overwritten by the next call."""
        return self._dynamics.tip_pose(position)[1]

    @property
    def tip_speed(self) -> float:
        """m/s."""
        if self._jacobian_of != self.state.joint_samples:
            self._jacobian_of = self.state.joint_samples
            jacobian = self._dynamics.jacobian(self.state.position)
            self._tip_speed = float(np.linalg.norm(jacobian[:3] @ self.state.velocity))
        return self._tip_speed

    @property
    def actuator_speed(self) -> float:
        """Of the fastest joint or the fingers, as a part of its own top speed."""
        arm = float(np.max(np.abs(self.state.velocity) / self.top_speed))
        return max(arm, abs(self.state.gripper_velocity) / self.profile.gripper.drive_speed)
