"""The way back to the start pose, where every attempt begins (spec row R3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ams_ros.errors import PlanningError, RobotError
from ams_ros.recovery.planner import PlannedMotion, Planner
from ams_ros.replay.settings import ReturnSettings
from ams_ros.robot.profile import RobotProfile
from ams_ros.robot.recoverable import RecoverableRobot
from ams_ros.robot.stop_request import StopRequest
from ams_ros.types import ActionSlice, Execution, Float64Array, JointSample

_FINGER = 0.002
"""m; nearer than this to a place, fingers are there."""

_OPEN = 0.9
"""Share of their way from which fingers are as good as open."""

_MOVING = 0.1
"""rad/s; an arm faster than this is first brought to rest, as a way is planned from rest where the arm is measured."""

_HOLD, _HOLD_AT_START = 4, 2
"""Steps in which it comes to rest, before a way is planned and where it is at the start pose already."""

_HOMEWARD = 0.5
"""Share of its way to the start pose that a slice leaves at most, to count as going there."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class WayBack:
    """What is to be done next. period: s, of a step it is counted in.

    hold: steps in which the arm stays where it is, comes to rest or begins to open its fingers, which goes on on the
    way; None when there is no need. motion: None where the arm is near enough, or must come to rest first.
    """

    motion: PlannedMotion | None
    hold: ActionSlice | None
    period: float

    @property
    def steps(self) -> int:
        """Steps it takes."""
        held = 0 if self.hold is None else self.hold.horizon
        return held + (0 if self.motion is None else self.steps_of(len(self.motion.joints)))

    def steps_of(self, rows: int) -> int:
        """Steps that many rows of the motion take."""
        assert self.motion is not None
        return math.ceil(rows * self.motion.period / self.period - _ROUNDING)


class ReturnToStart:
    """Plans the way back and runs it, watched like any motion; knows neither tasks nor recovery."""

    def __init__(
        self, robot: RecoverableRobot, planner: Planner, profile: RobotProfile, settings: ReturnSettings | None = None
    ) -> None:
        """planner: for the arm of that profile."""
        self._robot, self._planner, self._profile = robot, planner, profile
        self.settings = settings or ReturnSettings()

    def way(self, commanded: float | None, period: float, slower: float = 1.0) -> WayBack | None:
        """What to do next from where the robot is; None when there is nothing left to do.

        commanded: finger target, m, None when it is not known. period: s of a step. slower: share of the speed that is
        set. Fingers that may hold something stay as they are. Raises RobotError without joint states, PlanningError
        when there is no way.
        """
        sample = self._measured()
        dof = len(self._profile.joints)
        arm, finger = np.array(sample.position[:dof]), float(sample.position[dof])
        stays, hold, motion = self._may_stay(finger, commanded), None, None
        target = self._profile.gripper.upper if not stays else commanded
        moving = sample.velocity is not None and bool((np.abs(sample.velocity[:dof]) > _MOVING).any())
        away = np.abs(arm - self._profile.start).max()
        if moving and target is not None:
            steps = _HOLD if away > self.settings.near else _HOLD_AT_START
            return WayBack(None, _holding(arm, target, period, steps), period)
        if not stays and target is not None:
            hold = _holding(arm, target, period, 1)
        if away > self.settings.near:
            scale = self.settings.scale * slower
            try:
                motion = self._planner.plan(arm, self._profile.start, scale, self.settings.plan_timeout)
            except PlanningError as error:
                raise PlanningError(f"no way back to the start pose: {error}. The robot holds still") from error
        return None if motion is None and hold is None else WayBack(motion, hold, period)

    def homeward(self, action_slice: ActionSlice) -> int:
        """Steps of the slice until it has the arm nearest to the start pose; 0 when that is not much nearer.

        Raises RobotError without joint states.
        """
        start, dof = self._profile.start, len(self._profile.joints)
        away = float(np.abs(self._measured().position[:dof] - start).max())
        left = np.abs(action_slice.joints[: action_slice.execute] - start).max(axis=1)
        if away <= self.settings.near or left.min() > _HOMEWARD * away:
            return 0
        there = np.flatnonzero(left <= self.settings.near / 2)
        return int(there[0] if len(there) else left.argmin()) + 1

    def go(self, way: WayBack, stop: StopRequest) -> Execution:
        """Hold, then follow the motion. `steps` of the result are those of the way's period."""
        held = 0
        if way.hold is not None:
            execution = self._robot.execute(way.hold, stop)
            if not execution.completed:
                return execution
            held = execution.steps
        if way.motion is None:
            return Execution(held, completed=True)
        execution = self._robot.follow(way.motion.joints, way.motion.period, stop)
        return replace(execution, steps=held + way.steps_of(execution.steps))

    def _may_stay(self, finger: float, commanded: float | None) -> bool:
        """Fingers that are open or about to be, and those kept from closing by what is between them."""
        gripper = self._profile.gripper
        if commanded is None:
            return finger > gripper.lower + _FINGER
        return commanded >= self._opened or finger > commanded + _FINGER

    @property
    def _opened(self) -> float:
        gripper = self._profile.gripper
        return gripper.lower + _OPEN * (gripper.upper - gripper.lower)

    def gripping(self, commanded: float | None) -> bool:
        """Whether fingers that were told to close are kept from it by what is between them, or are closing still.

        commanded: finger target, m; None when it is not known: then fingers that are neither open nor closed grip.
        Raises RobotError without joint states.
        """
        finger = float(self._measured().position[len(self._profile.joints)])
        if commanded is None:
            return self._profile.gripper.lower + _FINGER < finger < self._opened
        return commanded < self._opened and finger > commanded + _FINGER

    def _measured(self) -> JointSample:
        sample, dof = self._robot.joints(), len(self._profile.joints)
        if sample.position.shape != (dof + 1,) or not np.isfinite(sample.position).all():
            found = sample.position.tolist()
            raise RobotError(f"joint states {found}, expected {dof} finite angles and the finger's place")
        return sample


def _holding(arm: Float64Array, finger: float, period: float, steps: int) -> ActionSlice:
    return ActionSlice(np.tile(arm, (steps, 1)), np.full(steps, finger), period, steps, "")
