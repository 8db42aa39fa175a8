"""How experts move the arm: straight lines and ways home, cut into steps no longer than a demonstration may show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.reach import reach_of
from ams_ros.types import Float64Array

_WAIST, _WRIST = 1.5, 1.9
"""How far a label may turn the first and the last joint from the start pose, rad."""


@dataclass(frozen=True, slots=True)
class StepLimits:
    """Per step of 0.05 s. stride: tip travel, m. turn: joint travel, rad. at_start: rad from it that count as back."""

    stride: float = 0.018
    turn: float = 0.09
    at_start: float = 0.02


class ExpertMotion:
    """Makes labels of places to go to. All methods raise ValueError where no sane label exists."""

    def __init__(self, profile: RobotProfile, limits: StepLimits | None = None) -> None:
        """For this arm, its gripper pointing down."""
        self._profile = profile
        self._reach = reach_of(profile)
        self._limits = limits or StepLimits()

    def towards(
        self, joints: Float64Array, tip: Float64Array, place: Float64Array, yaw: float, finger: float
    ) -> Float64Array:
        """(dof + 1,): one step along the straight line from `tip` to `place`, (3,) m, joint travel bounded."""
        way = place - tip
        length = float(np.linalg.norm(way))
        stop = tip + way * min(1.0, self._limits.stride / length) if length > 0.0 else place
        goal = self._reach.solve(stop, yaw)
        if goal is None:
            raise ValueError(f"expert: {stop.round(3).tolist()} m is out of reach")
        goal = joints + np.clip(goal - joints, -self._limits.turn, self._limits.turn)
        return self._checked(np.append(goal, finger))

    def home(self, joints: Float64Array, finger: float) -> tuple[Float64Array, bool]:
        """(dof + 1,): the fingers open where the arm is, then it turns to the start pose; and whether it is there."""
        start, gripper = self._profile.start, self._profile.gripper
        gap = start - joints
        there = bool(np.abs(gap).max() < self._limits.at_start)
        if finger < gripper.upper - 0.008:
            goal = joints.copy()
        elif there:
            goal = start.copy()
        else:
            goal = joints + gap * min(1.0, self._limits.turn / float(np.abs(gap).max()))
        return self._checked(np.append(goal, gripper.upper)), there

    def _checked(self, action: Float64Array) -> Float64Array:
        """Refuse a label that no sane demonstration holds: outside the limits, or the gripper swung round."""
        arm = action[:-1]
        if not ((arm >= self._profile.lower) & (arm <= self._profile.upper)).all():
            raise ValueError(f"expert: {arm.round(3).tolist()} rad is outside the joint limits")
        turned = np.abs(arm - self._profile.start)
        if turned[0] > _WAIST or turned[-1] > _WRIST:
            raise ValueError(f"expert: waist {arm[0]:.3f} or wrist {arm[-1]:.3f} rad is outside the workspace")
        return action
