"""Debounce: how often or how long something must be so before it counts."""

from __future__ import annotations

import math


class Recurrence:
    """Counts as there once it was seen `count` times within `window` seconds."""

    def __init__(self, count: int, window: float) -> None:
        """count: at least 1."""
        self._window, self._seen, self._next = window, [-math.inf] * count, 0

    def clear(self) -> None:
        """Forget what was seen."""
        for place in range(len(self._seen)):
            self._seen[place] = -math.inf

    def seen(self, stamp: float) -> bool:
        """It was seen at `stamp`, s; whether that makes it count."""
        self._seen[self._next] = stamp
        self._next = (self._next + 1) % len(self._seen)
        return 0.0 <= stamp - self._seen[self._next] <= self._window


class Duration:
    """Counts as there once a margin rose above 1 and then stayed above `release` for `seconds`."""

    def __init__(self, seconds: float, release: float) -> None:
        """release: below 1, so that a value that trembles about its limit does not start afresh each time."""
        self._seconds, self._release, self._since = seconds, release, math.nan

    def clear(self) -> None:
        """Not above its limit."""
        self._since = math.nan

    def lasts(self, margin: float, stamp: float) -> bool:
        """Whether it counts at `stamp`, s. A margin that is no number counts as above every limit."""
        if margin <= (1.0 if math.isnan(self._since) else self._release):
            self._since = math.nan
            return False
        if not self._since <= stamp:
            self._since = stamp
        return stamp - self._since >= self._seconds


class JointDurations:
    """A `Duration` for each joint: what passes from one joint to the next does not last in any."""

    def __init__(self, joints: int, seconds: float, release: float) -> None:
        """seconds, release: as of `Duration`."""
        self._durations = tuple(Duration(seconds, release) for _ in range(joints))

    def clear(self) -> None:
        """No joint is above its limit."""
        for each in self._durations:
            each.clear()

    def lasting(self, margins: list[float], stamp: float) -> int:
        """The joint with the largest margin of those where it counts at `stamp`, s; -1 when there is none."""
        found = -1
        for joint, each in enumerate(self._durations):
            if each.lasts(margins[joint], stamp) and (found < 0 or not margins[joint] <= margins[found]):
                found = joint
        return found
