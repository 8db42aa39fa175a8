"""Angular momentum too big (#5): the arm swings harder than it should be let swing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ams_ros.exception.persistence import Duration
from ams_ros.exception.rule import JointRule, Need, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, ExceptionKind, Severity


@dataclass(frozen=True, slots=True)
class AngularMomentumSettings:
    """Thresholds of `AngularMomentum`."""

    share: float = limit(
        0.6,
        "",
        0.01,
        10.0,
        "largest angular momentum about the base, as a share of what the stretched arm has at one joint's speed limit",
        learned=True,
    )
    duration: float = limit(0.02, "s", 0.0, 10.0, "time above the limit that counts")
    release: float = limit(0.8, "", 0.1, 1.0, "share of the limit below which it has calmed down")

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, AngularMomentum.name)


class AngularMomentum(JointRule):
    """Watches the angular momentum of all moving links about the base, which is what the base has to hold."""

    name = "angular_momentum"
    kind = ExceptionKind.MOMENTUM
    severity = Severity.SERIOUS
    needs = frozenset({Need.DYNAMICS})
    Settings = AngularMomentumSettings

    def __init__(self, settings: AngularMomentumSettings, robot: WatchedRobot) -> None:
        """settings: threshold as a share of `greatest_swing`."""
        super().__init__(settings, robot)
        self.limit = settings.share * greatest_swing(robot)
        """kg m^2/s."""
        self._duration = Duration(settings.duration, settings.release)

    @property
    def debounce(self) -> Duration:
        """See `Rule`."""
        return self._duration

    def compared(self) -> Mapping[str, Sequence[float]]:
        """See `Rule`."""
        return {"share": (self.margin * self.settings.share,)}

    def reset(self) -> None:
        """The arm does not swing."""
        self._duration.clear()
        self.margin = 0.0

    def joints(self, state: RobotState) -> Violation | None:
        """Compare the momentum about the base."""
        _, about_base = self.robot.dynamics.angular_momentum(state.position, state.velocity)
        x, y, z = about_base.tolist()
        size, largest = math.hypot(x, y, z), self.limit * state.caution
        self.margin = size / largest
        if not self._duration.lasts(self.margin, state.stamp):
            return None
        return self.violation(state, "the arm swings too hard", Evidence("angular_momentum", size, largest, "kg m^2/s"))


def greatest_swing(robot: WatchedRobot) -> float:
    """The greatest angular momentum about the base, kg m^2/s, that one joint at its speed limit gives the arm.

    The posture is the one, of all with each joint at zero or a quarter turn either way within its limits, in which it
    is greatest: in effect the stretched arm. The first joint stays, as it turns the arm as a whole.
    """
    profile, greatest = robot.profile, 0.0
    choices = [
        [angle for angle in (0.0, math.pi / 2, -math.pi / 2) if joint.lower <= angle <= joint.upper] or [joint.lower]
        for joint in profile.joints[1:]
    ]
    speed = np.zeros(len(profile.joints))
    for posture in itertools.product(*choices):
        position = np.array((0.0, *posture))
        for joint, spec in enumerate(profile.joints):
            speed[:], speed[joint] = 0.0, spec.velocity
            about_base = robot.dynamics.angular_momentum(position, speed)[1]
            greatest = max(greatest, float(np.linalg.norm(about_base)))
    return greatest
