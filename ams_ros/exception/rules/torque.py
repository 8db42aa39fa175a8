"""Torque too big (#4): a motor works at its limit, or can give no more, for longer than a start or a stop takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ams_ros.exception.per_joint import for_each_joint
from ams_ros.exception.persistence import JointDurations
from ams_ros.exception.rule import JointRule, Need, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, ExceptionKind, Severity


@dataclass(frozen=True, slots=True)
class TorqueSettings:
    """Thresholds of `Torque`."""

    share: float | tuple[float, ...] = limit(
        0.9, "", 0.05, 2.0, "largest effort, as a share of the joint's limit", learned=True, per_joint=True
    )
    behind: float = limit(
        0.03, "rad", 0.001, 3.2, "error of a joint from which on an effort that stands still is all its motor can give"
    )
    lag: float = limit(0.1, "s", 0.0, 2.0, "by which a joint that works follows; so much of the error is none")
    flat: float = limit(
        0.002,
        "",
        1e-6,
        0.1,
        "distance from where it came to a stand, as a share of the joint's limit, up to which it stands still",
    )
    pinned: float = limit(0.1, "s", 0.0, 10.0, "time for which it has to stand still")
    duration: float = limit(0.4, "s", 0.0, 10.0, "time above the limit that counts")
    release: float = limit(0.9, "", 0.1, 1.0, "share of the limit below which the motor is relieved")

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, Torque.name)


class Torque(JointRule):
    """Compares the measured effort with the limits in the profile, and notices a motor that is limited otherwise.

    A drive that is too hot, too weak or wrongly configured gives less than the profile says: its effort then stands
    still while its joint is not where the plan has it.
    """

    name = "torque"
    kind = ExceptionKind.TORQUE
    severity = Severity.SERIOUS
    needs = frozenset({Need.EFFORT})
    Settings = TorqueSettings

    def __init__(self, settings: TorqueSettings, robot: WatchedRobot) -> None:
        """settings: thresholds, those per joint in the profile's order."""
        super().__init__(settings, robot)
        joints = robot.profile.joints
        shares = self._shares = for_each_joint(settings.share, len(joints), f"rules.{self.name}.share")
        self._limits = [share * joint.effort for share, joint in zip(shares, joints, strict=True)]
        dof = len(joints)
        self._margins, self._stuck, self._stand = [0.0] * dof, [0.0] * dof, [math.nan] * dof
        self._still = [settings.flat * joint.effort for joint in joints]
        self._durations = JointDurations(dof, settings.duration, settings.release)
        self._pinned = JointDurations(dof, settings.pinned, 1.0)

    @property
    def debounce(self) -> JointDurations:
        """See `Rule`."""
        return self._durations

    def compared(self) -> Mapping[str, Sequence[float]]:
        """See `Rule`."""
        return {"share": [margin * share for margin, share in zip(self._margins, self._shares, strict=True)]}

    def reset(self) -> None:
        """No motor works too hard."""
        self._durations.clear()
        self._pinned.clear()
        self._stand = [math.nan] * len(self._stand)
        self.margin = 0.0

    def joints(self, state: RobotState) -> Violation | None:
        """Compare each joint's effort."""
        efforts = state.effort.tolist()
        for joint, largest in enumerate(self._limits):
            self._margins[joint] = abs(efforts[joint]) / (largest * state.caution)
        stuck = self._errors(state, efforts)
        self.margin = max(*self._margins, *stuck)
        # Both are asked every time, as each keeps its own time.
        hard = self._durations.lasting(self._margins, state.stamp)
        spent = self._pinned.lasting(stuck, state.stamp)
        if hard >= 0:
            return self._too_big(state, hard, f"the motor of joint {self._name(hard)} works at its limit")
        if spent >= 0:
            return self._too_big(state, spent, f"the motor of joint {self._name(spent)} can give no more")
        return None

    def _errors(self, state: RobotState, efforts: list[float]) -> list[float]:
        """How far each joint whose effort stands still is from its reference, as a share of what it may be."""
        position, reference, velocity = state.position.tolist(), state.reference.tolist(), state.velocity.tolist()
        lag, behind = self.settings.lag, self.settings.behind * state.caution
        for joint, still in enumerate(self._still):
            stands = abs(efforts[joint] - self._stand[joint]) <= still
            if not stands:
                self._stand[joint] = efforts[joint]
            error = abs(reference[joint] - position[joint]) - lag * abs(velocity[joint])
            below = state.plan is not None and self._margins[joint] <= 1.0
            self._stuck[joint] = error / behind if stands and below else 0.0
        return self._stuck

    def _name(self, joint: int) -> str:
        return self.robot.profile.joints[joint].name

    def _too_big(self, state: RobotState, joint: int, message: str) -> Violation:
        name, largest = self._name(joint), self._limits[joint] * state.caution
        error = abs(float(state.reference[joint] - state.position[joint]))
        return self.violation(
            state,
            message,
            Evidence(f"effort.{name}", float(state.effort[joint]), largest, "N m"),
            Evidence(f"error.{name}", error, self.settings.behind * state.caution, "rad"),
        )
