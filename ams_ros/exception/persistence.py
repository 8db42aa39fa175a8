"""Debounce: how often or how long something must be so before it counts."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ams_ros.types import Float64Array


class Debounce(Protocol):
    """What a rule asks after it compared a value with its limit."""

    def clear(self) -> None:
        """Forget what was."""
        ...

    def critical(self, stamps: Float64Array, values: Float64Array, heard: NDArray[np.bool_]) -> float:
        """The largest limit with which this would have counted, at least once, at a sample that was heard.

        A limit of that size or more lets the series pass. stamps: (n,) s, rising. values: (n, k), one column for each
        of what is debounced on its own; k is 1 for a single one. 0 when none was heard for long enough.
        """
        ...


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

    def critical(self, stamps: Float64Array, values: Float64Array, heard: NDArray[np.bool_]) -> float:
        """See `Debounce`."""
        found, count = 0.0, len(self._seen)
        first = np.searchsorted(stamps, stamps - self._window - _ROUNDING)
        for column in _without_nan(values).T:
            for last in np.flatnonzero(heard & (column > 0.0)):
                if column[last] <= found:
                    continue
                near = column[first[last] : last + 1][stamps[last] - stamps[first[last] : last + 1] <= self._window]
                if len(near) >= count:
                    found = max(found, min(float(column[last]), float(np.partition(near, -count)[-count])))
        return found


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

    def critical(self, stamps: Float64Array, values: Float64Array, heard: NDArray[np.bool_]) -> float:
        """See `Debounce`."""
        values, found, begin = _without_nan(values), 0.0, 0
        for last in np.flatnonzero(heard):
            end = begin
            while end <= last and stamps[last] - stamps[end] >= self._seconds:
                end += 1
            if end == begin:
                continue
            # The least of what follows each possible beginning, which counts with the release that goes with it.
            least = np.minimum.accumulate(values[last : begin - 1 if begin else None : -1])[::-1][: end - begin]
            found, begin = max(found, float(np.minimum(values[begin:end], least / self._release).max())), end
        return found


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

    def critical(self, stamps: Float64Array, values: Float64Array, heard: NDArray[np.bool_]) -> float:
        """See `Debounce`."""
        return self._durations[0].critical(stamps, values, heard)


_ROUNDING = 1e-6
"""s, by which a stamp found by addition may miss one found by subtraction."""


def _without_nan(values: Float64Array) -> Float64Array:
    """What is no number counts as above every limit."""
    return np.where(np.isnan(values), np.inf, values)
