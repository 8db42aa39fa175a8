"""Where the plan says the joints are now."""

from __future__ import annotations

from array import array

import numpy as np

from ams_ros.exception.plan import MotionPlan
from ams_ros.exception.sample_intake import LARGEST
from ams_ros.exception.state import RobotState

_TICK = 1e-6
"""s; stamps closer than this are the same moment: seconds since 1970 are no finer in a float."""


class Reference:
    """Keeps reference, its velocity, elapsed time, step and sub-slice of a state up to date."""

    def __init__(self, state: RobotState) -> None:
        """state: written in place."""
        self._state = state
        self._begin = 0.0
        # The state's arrays as plain memory, and rows as plain numbers: numpy takes longer for so few.
        self._place, self._velocity = state.reference.data, state.reference_velocity.data
        self._rows: list[array[float]] = []
        self._velocities: list[array[float]] = []
        self._ends: tuple[int, ...] = ()
        self._open = 0

    def begin(self, plan: MotionPlan | None, stamp: float) -> None:
        """A goal came under execution at `stamp`, with its plan when it was announced."""
        state = self._state
        state.plan, state.executing = plan, True
        state.elapsed, state.step, state.sub_slice = 0.0, -1, -1
        self._begin, self._rows = stamp, []
        state.reference[:] = state.position
        state.reference_velocity[:] = 0.0
        if plan is not None:
            state.step, state.sub_slice, self._ends, self._open = 0, 0, plan.sub_slices, 0
            if state.joint_samples:
                self._lay(plan)

    def end(self) -> None:
        """Nothing is under execution any more."""
        state = self._state
        state.plan, state.executing, self._rows = None, False, []
        state.elapsed, state.step, state.sub_slice = 0.0, -1, -1
        state.reference[:] = state.position
        state.reference_velocity[:] = 0.0

    def follow(self) -> bool:
        """Go on to the state's stamp; returns whether it lies past the end of the sub-slice under way.

        That sub-slice stays the one under way until `next_sub_slice`.
        """
        state, plan = self._state, self._state.plan
        if plan is None:
            if not state.executing:
                return False
            state.elapsed = max(0.0, state.stamp - self._begin)
            return False
        if not self._rows:
            self._lay(plan)
        elapsed = state.elapsed = max(0.0, state.stamp - self._begin)
        if elapsed + _TICK >= plan.steps * plan.period:
            state.step = plan.steps - 1
            self._place[:] = self._rows[-1]
            self._velocity[:] = self._velocities[-1]
        else:
            step = state.step = min(int((elapsed + _TICK) / plan.period), plan.steps - 1)
            into, velocity = elapsed - step * plan.period, self._velocities[step]
            pairs = zip(self._rows[step], velocity, strict=True)
            self._place[:] = array("d", [place + speed * into for place, speed in pairs])
            self._velocity[:] = velocity
        index = self._open
        return index < len(self._ends) and elapsed >= self._ends[index] * plan.period - _TICK

    def next_sub_slice(self) -> None:
        """Turn to the sub-slice the state's elapsed time lies in; after the last one it stays the one under way."""
        state, plan = self._state, self._state.plan
        if plan is None:
            return
        count = len(self._ends)
        while self._open < count and state.elapsed >= self._ends[self._open] * plan.period - _TICK:
            self._open += 1
        state.sub_slice = min(self._open, count - 1)

    def last_is_due(self, stamp: float) -> bool:
        """Whether a plan that ended at `stamp` ran its last sub-slice to the end and nobody has looked at it yet."""
        plan, state = self._state.plan, self._state
        if plan is None or not state.joint_samples or self._open != len(self._ends) - 1:
            return False
        # Half a step early still counts: stamp and end come from two clocks.
        return stamp - self._begin >= (plan.steps - 0.5) * plan.period

    def _lay(self, plan: MotionPlan) -> None:
        # A plan may ask for what no arm does, which `unreachable_target` tells; what is computed must stay finite.
        rows = np.clip(np.vstack((self._state.position, plan.joints)), -LARGEST, LARGEST)
        with np.errstate(over="ignore"):
            speeds = np.clip(np.diff(rows, axis=0, append=rows[-1:]) / plan.period, -LARGEST, LARGEST)
        self._rows = [array("d", row) for row in rows]
        self._velocities = [array("d", row) for row in speeds]
