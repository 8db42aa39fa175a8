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
from ams_ros.types import ActionSlice, Execution, Float64Array

_FINGER = 0.002
"""m; nearer than this to a place, fingers are there."""

_OPEN = 0.9
"""Share of their way from which fingers are as good as open."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class WayBack:
    """What is left to do. motion: None where the arm is near enough. period: s, of a step it is counted in.

    fingers: one step in which they are told to open, which they do on the way; None when they are to stay.
    """

    motion: PlannedMotion | None
    fingers: ActionSlice | None
    period: float

    @property
    def steps(self) -> int:
        """Steps it takes."""
        return (self.fingers is not None) + (0 if self.motion is None else self.steps_of(len(self.motion.joints)))

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

    def way(self, commanded: float | None, period: float) -> WayBack | None:
        """From where the robot is; None when there is nothing to do.

        commanded: finger target, m, None when it is not known. period: s of a step. Fingers that may hold something
        stay as they are. Raises RobotError without joint states, PlanningError when there is no way.
        """
        arm, finger = self._measured()
        motion = fingers = None
        if not self._may_stay(finger, commanded):
            opened = np.array([self._profile.gripper.upper])
            fingers = ActionSlice(arm[None], opened, period, 1, "")
        if np.abs(arm - self._profile.start).max() > self.settings.near:
            try:
                motion = self._planner.plan(arm, self._profile.start, self.settings.scale, self.settings.plan_timeout)
            except PlanningError as error:
                raise PlanningError(f"no way back to the start pose: {error}. The robot holds still") from error
        return None if motion is None and fingers is None else WayBack(motion, fingers, period)

    def go(self, way: WayBack, stop: StopRequest) -> Execution:
        """Open the fingers, then follow the motion. `steps` of the result are those of the way's period."""
        opened = 0
        if way.fingers is not None:
            execution = self._robot.execute(way.fingers, stop)
            if not execution.completed:
                return execution
            opened = execution.steps
        if way.motion is None:
            return Execution(opened, completed=True)
        execution = self._robot.follow(way.motion.joints, way.motion.period, stop)
        return replace(execution, steps=opened + way.steps_of(execution.steps))

    def _may_stay(self, finger: float, commanded: float | None) -> bool:
        """Fingers that are open or about to be, and those kept from closing by what is between them."""
        gripper = self._profile.gripper
        if commanded is None:
            return finger > gripper.lower + _FINGER
        opened = gripper.lower + _OPEN * (gripper.upper - gripper.lower)
        return commanded >= opened or finger > commanded + _FINGER

    def _measured(self) -> tuple[Float64Array, float]:
        dof = len(self._profile.joints)
        position = np.array(self._robot.joints().position, dtype=np.float64)
        if position.shape != (dof + 1,) or not np.isfinite(position).all():
            raise RobotError(f"joint states {position.tolist()}, expected {dof} finite angles and the finger's place")
        return position[:dof], float(position[dof])
