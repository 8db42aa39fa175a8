"""Joints on their way beyond their limits: there, or no longer able to stop before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.exception.rule import JointRule, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, ExceptionKind, Severity


@dataclass(frozen=True, slots=True)
class JointLimitsSettings:
    """Thresholds of joint_limits."""

    beyond: float = limit(0.02, "rad", 0.0, 1.0, "by which a joint may lie beyond its limit; play and calibration")
    overshoot: float = limit(
        0.15,
        "rad",
        0.0,
        3.2,
        "by which a joint may be unable to stop before its limit, braked no harder than the profile says",
        source="simulated WidowX: its policy moves up to a limit with 0.07 to spare of what its servos brake",
    )
    samples: int = limit(2, "", 1, 100, "joint samples in a row; a single estimate of a velocity may be off")

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        check_limits(self, "joint_limits")


class JointLimits(JointRule):
    """Predicts where each joint can be stopped: position plus v^2 / 2a with the profile's acceleration.

    Only motion outwards counts: an arm parked at its limit, or led back inside, breaks nothing. An arm beyond a limit
    when motion begins may not go further out.
    """

    name = "joint_limits"
    kind = ExceptionKind.UNREACHABLE
    severity = Severity.SERIOUS
    Settings = JointLimitsSettings

    def __init__(self, settings: JointLimitsSettings, robot: WatchedRobot) -> None:
        """Take limits and accelerations from the profile."""
        super().__init__(settings, robot)
        self._specs = tuple((joint.lower, joint.upper, 0.5 / joint.acceleration) for joint in robot.profile.joints)
        self._already = [0.0] * len(self._specs)
        self._seen = False
        self._count = 0

    def begin(self, state: RobotState) -> None:
        """Note what lies beyond its limits already."""
        self._note(state.position.tolist())
        self._seen, self._count = state.joint_samples > 0, 0

    def reset(self) -> None:
        """As before the first sample."""
        self._seen, self._count, self.margin = False, 0, 0.0

    def joints(self, state: RobotState) -> Violation | None:
        """Look at the joint that would end up furthest out."""
        position = state.position.tolist()
        if not self._seen:
            self._note(position)
            self._seen = True
        worst, joint, place = -np.inf, 0, 0.0
        beyond, overshoot = self.settings.beyond * state.caution, self.settings.overshoot * state.caution
        known = zip(position, state.velocity.tolist(), self._specs, self._already, strict=True)
        for index, (q, v, (lower, upper, share), already) in enumerate(known):
            stop = q + v * abs(v) * share
            upwards = stop > upper or v > 0.0
            # What moves inwards stops further in than it lies.
            lies, stops = (q - upper, stop - upper) if upwards else (lower - q, lower - stop)
            out = max(min(lies, stops) - beyond, stops - overshoot) - already
            if out > worst:
                worst, joint, place = out, index, stop
        self.margin = max(0.0, 1.0 + worst / _NEAR)
        self._count = self._count + 1 if worst > 0.0 else 0
        return self._fire(state, joint, place) if self._count >= self.settings.samples else None

    def _note(self, position: list[float]) -> None:
        for index, (q, (lower, upper, _)) in enumerate(zip(position, self._specs, strict=True)):
            self._already[index] = max(0.0, q - upper, lower - q)

    def _fire(self, state: RobotState, joint: int, place: float) -> Violation:
        spec = self.robot.profile.joints[joint]
        bound = spec.upper if place > (spec.lower + spec.upper) / 2 else spec.lower
        return self.violation(
            state,
            f"{spec.name} cannot stop before {place:.3f} rad, beyond its limit of {bound:.3f} rad",
            Evidence(f"{spec.name} stopping place", place, bound, "rad"),
            Evidence(f"{spec.name} velocity", float(state.velocity[joint]), spec.velocity, "rad/s"),
        )


_NEAR = 0.2
"""rad before a limit at which the margin begins to rise; for plots only."""
