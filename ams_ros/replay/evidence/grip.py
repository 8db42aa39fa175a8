"""Whether something is between the fingers, told from what they were commanded and where they are."""

from __future__ import annotations

import math
from enum import Enum

from ams_ros.robot.profile import GripperSpec

_EMPTY = 0.0005
"""m of finger position above the closed stop up to which there is nothing between the fingers."""

_PRESSING = 0.001
"""m by which the target must lie below where the fingers rest: something is in their way."""

_RESTING = 0.001
"""m by which fingers that hold something may move without a doubt about it."""

_SETTLED = 0.1
"""s for which fingers must rest on something."""

_OPENED = 0.002
"""m by which fingers must have opened since they held something to have let go of it."""

_TIGHT = 0.0005
"""m by which they may be open and still hold it: it leaves them here, on their way to `_OPENED`."""


class GripChange(Enum):
    """What a sample showed."""

    NONE = "none"
    GRASPED = "grasped"
    """Fingers that were told to close have come to rest on something; whether it holds will show."""
    LOST = "lost"
    """It has slipped away or was crushed: the fingers went on closing."""
    RELEASED = "released"
    """The fingers opened."""


class Grip:
    """Follows the fingers of one gripper. Positions in m, of one finger, as the gripper joint tells them."""

    def __init__(self, gripper: GripperSpec) -> None:
        """Nothing is held."""
        self._closed = gripper.lower + _EMPTY
        self.begin_anew()

    def begin_anew(self) -> None:
        """Nothing is held."""
        self.since = math.nan
        """s, when what is held was grasped; NaN while nothing is."""
        self.tight = False
        """Whether what is held was held firmly in the newest sample: not while the fingers are opening."""
        self._rest_at, self._width = math.nan, math.nan
        self._reached = math.nan

    @property
    def holding(self) -> bool:
        """Whether something is held."""
        return not math.isnan(self.since)

    def take(self, stamp: float, finger: float, target: float) -> GripChange:
        """A sample, and what the fingers were told at that time (NaN: not known), which a grasp needs only to begin."""
        if self.holding:
            return self._still_held(finger)
        if abs(finger - target) <= _PRESSING:
            self._reached = target
        # Fingers that were where they should be and are pushed aside touch something; they have not grasped it.
        pushed = abs(target - self._reached) <= _PRESSING
        if pushed or not (finger > self._closed and target < finger - _PRESSING):
            self._rest_at = math.nan
            return GripChange.NONE
        if math.isnan(self._rest_at) or abs(finger - self._width) > _RESTING:
            self._rest_at, self._width = stamp, finger
            return GripChange.NONE
        if stamp - self._rest_at < _SETTLED:
            return GripChange.NONE
        self.since, self.tight = self._rest_at, True
        return GripChange.GRASPED

    def _still_held(self, finger: float) -> GripChange:
        if finger <= self._closed:
            self.begin_anew()
            return GripChange.LOST
        if finger > self._width + _OPENED:
            self.begin_anew()
            return GripChange.RELEASED
        # What is held may yield or turn: the fingers follow it inwards, and opening is measured from there.
        self._width = min(self._width, finger)
        self.tight = finger <= self._width + _TIGHT
        return GripChange.NONE
