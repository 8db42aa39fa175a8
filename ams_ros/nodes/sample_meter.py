"""How many samples of one sort come, and how long the rules take for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_KEPT = 4096
"""More than a second brings at any rate a robot sends at."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One interval. rate: samples per second. median, p99, longest: s of rule time; 0 without samples."""

    rate: float
    median: float
    p99: float
    longest: float


class SampleMeter:
    """Counts since the last reading."""

    def __init__(self, now: float) -> None:
        """now: s, steady clock."""
        self._since = now
        self._count = 0
        self._seconds = np.zeros(_KEPT)

    def add(self, seconds: float) -> None:
        """A sample came, and the rules took so long for it."""
        self._seconds[self._count % _KEPT] = seconds
        self._count += 1

    def read(self, now: float) -> Reading:
        """What came since the last reading; begins the next interval."""
        seconds, rate = self._seconds[: self._count], self._count / max(now - self._since, 1e-9)
        self._since, self._count = now, 0
        if not len(seconds):
            return Reading(rate, 0.0, 0.0, 0.0)
        median, p99 = np.percentile(seconds, (50.0, 99.0))
        return Reading(rate, float(median), float(p99), float(seconds.max()))
