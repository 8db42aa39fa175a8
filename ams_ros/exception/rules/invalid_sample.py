"""Samples that cannot be readings: NaN, infinity, wrong sizes, wrong names, stamps that go back."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.exception.refusal import Refusal, RefusalRule
from ams_ros.exception.rule import Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import ExceptionKind, Severity


@dataclass(frozen=True, slots=True)
class InvalidSampleSettings:
    """Thresholds of invalid_sample."""

    samples: int = limit(1, "", 1, 100, "refused samples in a row that stop the arm; a good one starts the count anew")

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        check_limits(self, "invalid_sample")


class InvalidSample(RefusalRule):
    """Whoever sends numbers that cannot be has lost the arm."""

    name = "invalid_sample"
    kind = ExceptionKind.CRASH
    severity = Severity.SERIOUS
    always = True
    Settings = InvalidSampleSettings

    def __init__(self, settings: InvalidSampleSettings, robot: WatchedRobot) -> None:
        """Nothing refused yet."""
        super().__init__(settings, robot)
        self._refused = 0

    def reset(self) -> None:
        """Count anew."""
        self._refused, self.margin = 0, 0.0

    def joints(self, state: RobotState) -> None:
        """A good joint sample ends a row of bad ones."""
        self._refused, self.margin = 0, 0.0

    def refused(self, state: RobotState, refusal: Refusal) -> Violation | None:
        """Fire when there were enough in a row."""
        self._refused += 1
        self.margin = self._refused / self.settings.samples
        if self._refused < self.settings.samples:
            return None
        return self.violation(state, refusal.message, *refusal.evidence)
