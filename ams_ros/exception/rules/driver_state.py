"""What the driver says of itself: in error, or its controller gone."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.exception.rule import JointRule, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits
from ams_ros.exception.state import RobotState
from ams_ros.types import ExceptionKind, Severity


@dataclass(frozen=True, slots=True)
class DriverStateSettings:
    """It has no thresholds."""

    def __post_init__(self) -> None:
        """Nothing can be out of range."""
        check_limits(self, "driver_state")


class DriverState(JointRule):
    """Repeats what was reported until the driver is well again, as the report comes from outside the samples."""

    name = "driver_state"
    kind = ExceptionKind.CRASH
    severity = Severity.SERIOUS
    always = True
    Settings = DriverStateSettings

    def __init__(self, settings: DriverStateSettings, robot: WatchedRobot) -> None:
        """The driver is taken to be well."""
        super().__init__(settings, robot)
        self._message = ""

    def report(self, message: str) -> None:
        """The driver is in error, for the reason given; an empty message says that it is well again."""
        self._message = message
        self.margin = 2.0 if message else 0.0

    def joints(self, state: RobotState) -> Violation | None:
        """Say what was reported."""
        return self.violation(state, self._message) if self._message else None

    def tick(self, state: RobotState, now: float) -> Violation | None:
        """Say what was reported; a driver in error may send nothing."""
        return self.violation(state, self._message) if self._message else None
