"""Whether planned motion took effect: what joints and tip did in a sub-slice against what they were to do."""

from __future__ import annotations

import numpy as np

from ams_ros.exception.conditions.readings import UNKNOWN, Readings
from ams_ros.exception.state import RobotState


class MotionEffect:
    """Fills `Readings.effect` and `tip_effect` at the end of each sub-slice.

    A servo follows late and ignores changes below its deadband. So what was to be done is the way from the measured
    pose at the sub-slice's begin to where the plan was `lag` s before its end, it counts from a least size on, and what
    was done is how far the joint got around, whichever way: right after a turn it still goes the old way, and where it
    ends is for other rules to judge.
    """

    def __init__(self, readings: Readings, lag: float, joint_minimum: float, tip_minimum: float) -> None:
        """lag: s. joint_minimum: rad; tip_minimum: m; smaller planned motions are not judged."""
        dof = len(readings.effect)
        self._readings = readings
        self._lag, self._joint_minimum, self._tip_minimum = lag, joint_minimum, tip_minimum
        self._low, self._high = np.zeros(dof), np.zeros(dof)
        self._planned, self._made, self._tip_begin = np.zeros(dof), np.zeros(dof), np.zeros(3)

    def begin(self, state: RobotState) -> None:
        """A sub-slice begins."""
        self._low[:] = state.position
        self._high[:] = state.position

    def take(self, state: RobotState) -> None:
        """A joint sample arrived."""
        np.minimum(self._low, state.position, out=self._low)
        np.maximum(self._high, state.position, out=self._high)

    def end(self, state: RobotState, begin: RobotState) -> None:
        """The sub-slice that began at `begin` has ended; the next one begins."""
        self.take(state)
        np.minimum(self._low, begin.position, out=self._low)
        np.maximum(self._high, begin.position, out=self._high)
        np.subtract(self._high, self._low, out=self._made)
        duration = state.elapsed - begin.elapsed
        late = min(self._lag / duration, 1.0) if duration > 0.0 else 1.0
        np.subtract(begin.reference, state.reference, out=self._planned)
        self._planned *= late
        self._planned += state.reference
        # Until here where the joints were to be `lag` s ago; now the way there.
        self._judge_tip(state, begin)
        self._planned -= begin.position
        self._judge_joints()
        self.begin(state)

    def _judge_joints(self) -> None:
        readings = self._readings
        np.abs(self._planned, out=self._planned)
        readings.effect[:] = UNKNOWN
        judged = self._planned >= self._joint_minimum
        np.divide(self._made, self._planned, out=readings.effect, where=judged)
        readings.effect_text = ""
        if judged.any():
            worst = int(np.nanargmin(readings.effect))
            made, planned = self._made[worst], self._planned[worst]
            name = readings.profile.joint_names[worst]
            readings.effect_text = f"{name} moved {made:.3f} rad where {planned:.3f} rad were planned"

    def _judge_tip(self, state: RobotState, begin: RobotState) -> None:
        readings = self._readings
        self._tip_begin[:] = readings.tip_at(begin.position)
        planned = float(np.linalg.norm(readings.tip_at(self._planned) - self._tip_begin))
        if planned < self._tip_minimum:
            readings.tip_effect = UNKNOWN
            return
        readings.tip_effect = float(np.linalg.norm(readings.tip_at(state.position) - self._tip_begin)) / planned
