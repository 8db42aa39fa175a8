"""What the stages of an inference usually take here, which is what reusing their results saves."""

from __future__ import annotations

from collections import deque
from statistics import median

WINDOW = 65
"""Inferences a median is taken over: enough to be steady, few enough to follow a machine that slows down."""


class StageMedians:
    """Running medians by stage."""

    def __init__(self) -> None:
        self._seconds: dict[str, deque[float]] = {}

    def add(self, stage: str, seconds: float) -> None:
        """That stage ran and took so long."""
        self._seconds.setdefault(stage, deque(maxlen=WINDOW)).append(seconds)

    def latest(self, stage: str) -> float:
        """Seconds it took the last time it ran; 0 for a stage that has not run yet."""
        seconds = self._seconds.get(stage)
        return seconds[-1] if seconds else 0.0

    def median(self, stage: str) -> float:
        """Seconds; 0 for a stage that has not run yet."""
        seconds = self._seconds.get(stage)
        return median(seconds) if seconds else 0.0
