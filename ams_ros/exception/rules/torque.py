"""Torque too big (#4): a motor works at its limit for longer than a start or a stop takes."""

from __future__ import annotations

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
    duration: float = limit(0.4, "s", 0.0, 10.0, "time above the limit that counts")
    release: float = limit(0.9, "", 0.1, 1.0, "share of the limit below which the motor is relieved")

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, Torque.name)


class Torque(JointRule):
    """Compares the measured effort with the limits in the profile."""

    name = "torque"
    kind = ExceptionKind.TORQUE
    severity = Severity.SERIOUS
    needs = frozenset({Need.EFFORT})
    Settings = TorqueSettings

    def __init__(self, settings: TorqueSettings, robot: WatchedRobot) -> None:
        """settings: thresholds, those per joint in the profile's order."""
        super().__init__(settings, robot)
        joints = robot.profile.joints
        shares = for_each_joint(settings.share, len(joints), f"rules.{self.name}.share")
        self._limits = [share * joint.effort for share, joint in zip(shares, joints, strict=True)]
        self._margins = [0.0] * len(joints)
        self._durations = JointDurations(len(joints), settings.duration, settings.release)

    def reset(self) -> None:
        """No motor works too hard."""
        self._durations.clear()
        self.margin = 0.0

    def joints(self, state: RobotState) -> Violation | None:
        """Compare each joint's effort."""
        efforts = state.effort.tolist()
        for joint, largest in enumerate(self._limits):
            self._margins[joint] = abs(efforts[joint]) / (largest * state.caution)
        self.margin = max(self._margins)
        joint = self._durations.lasting(self._margins, state.stamp)
        if joint < 0:
            return None
        name, largest = self.robot.profile.joints[joint].name, self._limits[joint] * state.caution
        return self.violation(
            state,
            f"the motor of joint {name} works at its limit",
            Evidence(f"effort.{name}", efforts[joint], largest, "N m"),
        )
