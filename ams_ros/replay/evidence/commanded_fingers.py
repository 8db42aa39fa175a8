"""Where the fingers are told to be, as time goes by."""

from __future__ import annotations

import math
from collections import deque

from ams_ros.types import ActionSlice


class CommandedFingers:
    """The finger targets of the slices under execution, on the robot's clock.

    When a slice begins is not told by anybody; it counts as begun with the first sample after it was announced.
    """

    def __init__(self) -> None:
        """Nothing was commanded yet."""
        self.target = math.nan
        """m, what the fingers were told last; NaN before they were told anything."""
        self._announced: ActionSlice | None = None
        self._ahead: deque[tuple[float, float]] = deque()

    def announce(self, action_slice: ActionSlice) -> None:
        """These steps are about to be executed; what was still to come of the slice before is not."""
        self._announced = action_slice
        self._ahead.clear()

    def halt(self) -> None:
        """Nothing more comes of what was announced."""
        self._announced = None
        self._ahead.clear()

    def restart(self) -> None:
        """The clock was set back: what was timed by it counts as done."""
        if self._ahead:
            self.target = self._ahead[-1][1]
        self._ahead.clear()

    def at(self, stamp: float) -> float:
        """The target (m) at a time (s), which must not go back."""
        if self._announced is not None:
            self._schedule(self._announced, stamp)
            self._announced = None
        while self._ahead and self._ahead[0][0] <= stamp:
            self.target = self._ahead.popleft()[1]
        return self.target

    def _schedule(self, action_slice: ActionSlice, stamp: float) -> None:
        last = math.nan
        for step, target in enumerate(action_slice.gripper[: action_slice.execute].tolist()):
            if target != last:
                self._ahead.append((stamp + step * action_slice.period, target))
                last = target
