"""Timing the stages of one inference."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ams_ros.types import StageTime

T = TypeVar("T")


class StageTimer:
    """Runs stages and remembers how long each took; one that is run in parts counts as one, at its first place."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @property
    def times(self) -> tuple[StageTime, ...]:
        """Every stage that ran, in order."""
        return tuple(StageTime(stage, seconds) for stage, seconds in self._seconds.items())

    def seconds(self, stage: str) -> float:
        """How long that stage took so far; 0 when it did not run."""
        return self._seconds.get(stage, 0.0)

    def time(self, stage: str, run: Callable[[], T]) -> T:
        """Run a stage, or a part of it, and return what it returns."""
        started = time.perf_counter()
        result = run()
        self._seconds[stage] = self.seconds(stage) + time.perf_counter() - started
        return result
