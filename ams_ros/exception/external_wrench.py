"""What the rules have in common that compare force and torque from outside at the wrist with limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ams_ros.exception.persistence import Debounce
from ams_ros.exception.rule import Violation, WatchedRobot, WrenchRule
from ams_ros.exception.settings import limit
from ams_ros.exception.state import RobotState
from ams_ros.exception.wrench_compensation import WrenchCompensation
from ams_ros.types import Evidence, ExceptionKind, Severity


def payload_limit() -> Any:
    """A field of their Settings: what may hang from the tip without counting as force from outside."""
    return limit(0.25, "kg", 0.0, 100.0, "heaviest load that is taken as carried")


def smoothing_limit() -> Any:
    """A field of the Settings of those that smooth."""
    return limit(0.02, "s", 0.0, 1.0, "time constant of the low-pass")


class ExternalWrenchRule(WrenchRule):
    """A rule that takes offset and weight out of the wrench; its Settings have `force`, `torque` and `payload`."""

    kind = ExceptionKind.COLLISION
    severity = Severity.SERIOUS

    def __init__(self, settings: Any, robot: WatchedRobot, debounce: Debounce, smoothing: float = 0.0) -> None:
        """debounce: what the rule asks. smoothing: time constant of the low-pass, s; 0 for none."""
        super().__init__(settings, robot)
        self._compensation = WrenchCompensation(robot, smoothing, settings.payload)
        self._debounce = debounce
        self._force, self._torque = 0.0, 0.0

    @property
    def debounce(self) -> Debounce:
        """See `Rule`."""
        return self._debounce

    def compared(self) -> Mapping[str, Sequence[float]]:
        """See `Rule`."""
        return {"force": (self._force,), "torque": (self._torque,)}

    @property
    def degraded(self) -> str:
        """What this rule does without, or why it does not judge; empty when nothing is amiss."""
        return self._compensation.degraded

    def reset(self) -> None:
        """Forget the past, but not the sensor's offset."""
        self._compensation.reset()
        self._debounce.clear()
        self.margin, self._force, self._torque = 0.0, 0.0, 0.0

    def _compare(self, wrench: Sequence[float], caution: float) -> float:
        """The share of its limit that the force takes, N in `wrench`[:3], or the torque, N m; the larger one."""
        x, y, z, u, v, w = wrench
        self._force, self._torque = force, torque = math.hypot(x, y, z), math.hypot(u, v, w)
        settings = self.settings
        margin: float = max(force / (settings.force * caution), torque / (settings.torque * caution))
        return margin

    def _exceeded(self, state: RobotState, message: str, force: str = "force", torque: str = "torque") -> Violation:
        """The violation by what was compared last. force, torque: what they are called."""
        return self.violation(
            state,
            message,
            Evidence(force, self._force, self.settings.force * state.caution, "N"),
            Evidence(torque, self._torque, self.settings.torque * state.caution, "N m"),
        )
