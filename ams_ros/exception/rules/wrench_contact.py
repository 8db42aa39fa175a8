"""Collision (#1): the gripper presses against something, or is pressed, for longer than work needs."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.exception.external_wrench import ExternalWrenchRule, payload_limit, smoothing_limit
from ams_ros.exception.persistence import Duration
from ams_ros.exception.rule import Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState


@dataclass(frozen=True, slots=True)
class WrenchContactSettings:
    """Thresholds of `WrenchContact`."""

    force: float = limit(
        20.0,
        "N",
        0.1,
        10000.0,
        "largest external force that may last",
        source="simulated WidowX: the fingers meet cubes harder, but not for as long",
        learned=True,
    )
    torque: float = limit(2.0, "N m", 0.01, 10000.0, "largest external torque that may last", learned=True)
    duration: float = limit(0.35, "s", 0.0, 10.0, "time above the limit that counts as lasting")
    release: float = limit(0.7, "", 0.1, 1.0, "share of the limit below which the contact has ended")
    smoothing: float = smoothing_limit()
    payload: float = payload_limit()

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, WrenchContact.name)


class WrenchContact(ExternalWrenchRule):
    """Watches the external force and torque at the wrist, offset and weight taken out, with hysteresis."""

    name = "wrench_contact"
    Settings = WrenchContactSettings

    def __init__(self, settings: WrenchContactSettings, robot: WatchedRobot) -> None:
        """settings: thresholds in the units of the sensor."""
        self._duration = Duration(settings.duration, settings.release)
        super().__init__(settings, robot, self._duration, settings.smoothing)

    def wrench(self, state: RobotState) -> Violation | None:
        """Compare with the level."""
        if not self._compensation.update(state):
            return None
        self.margin = self._compare(self._compensation.external, state.caution)
        if not self._duration.lasts(self.margin, state.stamp):
            return None
        return self._exceeded(state, "the gripper presses against something")
