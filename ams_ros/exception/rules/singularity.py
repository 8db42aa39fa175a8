"""Poses in which the tip can no longer move in some direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.exception.rule import Rule, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, ExceptionKind, Severity


@dataclass(frozen=True, slots=True)
class SingularitySettings:
    """Thresholds of singularity."""

    smallest: float = limit(0.002, "", 0.0, 1.0, "singular value of the tip's Jacobian below which the arm may not go")
    every: float = limit(0.05, "s", 0.0, 1.0, "between two looks; the pose changes slowly and the decomposition costs")

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        check_limits(self, "singularity")


class Singularity(Rule):
    """Fires while the arm moves towards a singular pose and is close to it; moving away is always allowed.

    Looks between two samples, not with them: it costs as much as all other rules together, and can wait.
    """

    name = "singularity"
    kind = ExceptionKind.UNREACHABLE
    severity = Severity.SERIOUS
    Settings = SingularitySettings

    def __init__(self, settings: SingularitySettings, robot: WatchedRobot) -> None:
        """Not looked yet."""
        super().__init__(settings, robot)
        self._looked = -np.inf
        self._value = np.inf
        self._closing = False

    def begin(self, state: RobotState) -> None:
        """Where this motion leads is not known yet."""
        self._value, self._closing = np.inf, False

    def reset(self) -> None:
        """Not looked yet."""
        self._looked, self._value, self._closing, self.margin = -np.inf, np.inf, False, 0.0

    def tick(self, state: RobotState, now: float) -> Violation | None:
        """Look now and then."""
        if now - self._looked < self.settings.every or not state.joint_samples:
            return None
        self._looked = now
        value = float(np.linalg.svd(self.robot.dynamics.jacobian(state.position), compute_uv=False)[-1])
        before, self._value = self._value, value
        # Limits above which something is good grow with caution, where others shrink.
        limit_now = self.settings.smallest / state.caution
        self.margin = limit_now / max(value, 1e-9)
        if value >= limit_now or not before < np.inf or value > before - _TOWARDS:
            return None
        return self.violation(
            state,
            f"the arm moves into a singular pose: smallest singular value {value:.4f}",
            Evidence("smallest singular value", value, limit_now),
        )


_TOWARDS = 1e-5
"""By which the value must have fallen since the last look: less is noise of the encoders."""
