"""Collision (#1): a joint is not where its reference is, nor where a lagging servo would have it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ams_ros.exception.per_joint import for_each_joint
from ams_ros.exception.persistence import JointDurations
from ams_ros.exception.rule import JointRule, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, ExceptionKind, Severity


@dataclass(frozen=True, slots=True)
class TrackingErrorSettings:
    """Thresholds of `TrackingError`."""

    error: float | tuple[float, ...] = limit(
        0.12,
        "rad",
        0.001,
        3.2,
        "largest error that lag does not explain",
        source="simulated WidowX: clean runs up to 0.09 for as long",
        learned=True,
        per_joint=True,
    )
    lag: float = limit(0.15, "s", 0.0, 2.0, "time constant with which the slowest servo follows")
    duration: float = limit(0.15, "s", 0.0, 10.0, "time above the limit that counts")
    release: float = limit(0.7, "", 0.1, 1.0, "share of the limit below which the joint follows again")

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, TrackingError.name)


class TrackingError(JointRule):
    """A servo that works is between the reference and the reference seen through a low-pass of its lag.

    What a joint is outside of that is the error; it grows as soon as something holds the joint. Needs positions only,
    and an announced plan: without one there is no reference.
    """

    name = "tracking_error"
    kind = ExceptionKind.COLLISION
    severity = Severity.SERIOUS
    Settings = TrackingErrorSettings

    def __init__(self, settings: TrackingErrorSettings, robot: WatchedRobot) -> None:
        """settings: thresholds, those per joint in the profile's order."""
        super().__init__(settings, robot)
        dof = len(robot.profile.joints)
        self._limits = for_each_joint(settings.error, dof, f"rules.{self.name}.error")
        self._slow = [0.0] * dof
        self._margins = [0.0] * dof
        self._durations = JointDurations(dof, settings.duration, settings.release)
        self._begun = False

    @property
    def debounce(self) -> JointDurations:
        """See `Rule`."""
        return self._durations

    def compared(self) -> Mapping[str, Sequence[float]]:
        """See `Rule`."""
        return {"error": [margin * largest for margin, largest in zip(self._margins, self._limits, strict=True)]}

    def reset(self) -> None:
        """Start afresh with the next sample."""
        self._begun, self.margin = False, 0.0
        self._margins = [0.0] * len(self._margins)
        self._durations.clear()

    def joints(self, state: RobotState) -> Violation | None:
        """Compare the position with the reference and its slow follower."""
        if state.plan is None:
            self.reset()
            return None
        position, reference = state.position.tolist(), state.reference.tolist()
        if not self._begun:
            self._slow[:], self._begun = position, True
        share = state.period / (state.period + self.settings.lag) if state.period > 0.0 else 0.0
        slow = self._slow
        for joint, largest in enumerate(self._limits):
            at, aim = position[joint], reference[joint]
            late = slow[joint] + share * (aim - slow[joint])
            slow[joint] = late
            error = max(late - at, at - aim) if late < aim else max(aim - at, at - late)
            margin = error / (largest * state.caution)
            self._margins[joint] = math.inf if math.isnan(margin) else max(margin, 0.0)
        self.margin = max(self._margins)
        joint = self._durations.lasting(self._margins, state.stamp)
        if joint < 0:
            return None
        name, largest = self.robot.profile.joints[joint].name, self._limits[joint] * state.caution
        return self.violation(
            state,
            f"joint {name} does not follow its reference",
            Evidence(f"tracking_error.{name}", self._margins[joint] * largest, largest, "rad"),
        )
