"""Collision (#1): the gripper presses against something, or is pressed, for longer than work needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ams_ros.exception.persistence import Duration
from ams_ros.exception.rule import Violation, WatchedRobot, WrenchRule
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.exception.wrench_compensation import WrenchCompensation
from ams_ros.types import Evidence, ExceptionKind, Severity


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
    smoothing: float = limit(0.02, "s", 0.0, 1.0, "time constant of the low-pass")
    payload: float = limit(0.25, "kg", 0.0, 100.0, "heaviest load that is taken as carried")

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, WrenchContact.name)


class WrenchContact(WrenchRule):
    """Watches the external force and torque at the wrist, offset and weight taken out, with hysteresis."""

    name = "wrench_contact"
    kind = ExceptionKind.COLLISION
    severity = Severity.SERIOUS
    Settings = WrenchContactSettings

    def __init__(self, settings: WrenchContactSettings, robot: WatchedRobot) -> None:
        """settings: thresholds in the units of the sensor."""
        super().__init__(settings, robot)
        self._compensation = WrenchCompensation(robot, settings.smoothing, settings.payload)
        self._duration = Duration(settings.duration, settings.release)
        self._force, self._torque = 0.0, 0.0

    @property
    def debounce(self) -> Duration:
        """See `Rule`."""
        return self._duration

    def compared(self) -> Mapping[str, Sequence[float]]:
        """See `Rule`."""
        return {"force": (self._force,), "torque": (self._torque,)}

    @property
    def degraded(self) -> str:
        """What this rule does without; empty when nothing."""
        return self._compensation.degraded

    def reset(self) -> None:
        """Forget the past, but not the sensor's offset."""
        self._compensation.reset()
        self._duration.clear()
        self.margin, self._force, self._torque = 0.0, 0.0, 0.0

    def wrench(self, state: RobotState) -> Violation | None:
        """Compare with the level."""
        if not self._compensation.update(state):
            return None
        x, y, z, u, v, w = self._compensation.external
        force, torque = math.hypot(x, y, z), math.hypot(u, v, w)
        self._force, self._torque = force, torque
        force_limit, torque_limit = self.settings.force * state.caution, self.settings.torque * state.caution
        self.margin = max(force / force_limit, torque / torque_limit)
        if not self._duration.lasts(self.margin, state.stamp):
            return None
        return self.violation(
            state,
            "the gripper presses against something",
            Evidence("force", force, force_limit, "N"),
            Evidence("torque", torque, torque_limit, "N m"),
        )
