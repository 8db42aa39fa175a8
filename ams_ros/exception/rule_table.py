"""The rules in words, and how they stand with a driver: for the command line and the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ams_ros.exception.detector import Detector
from ams_ros.exception.needs import missing
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.threshold_file import RuleSettings
from ams_ros.exception.wrench_compensation import NOT_TARED
from ams_ros.robot.driver import DriverProfile

LOOKS_AT: Mapping[str, str] = MappingProxyType(
    {
        "driver_state": "whether the arm's controller is there",
        "clock_jump": "stamps of joint states against the time that passed here",
        "invalid_sample": "NaN, infinity, wrong sizes, unknown or repeated names, stamps that go back",
        "silence": "time since the last sample; positions that stay the same to the last bit while the arm should move",
        "wrench_jump": "change of the force and torque at the wrist against their recent past",
        "free_contact": "force and torque at the wrist while the tip is above what it works on",
        "wrench_contact": "force and torque at the wrist, offset and weight taken out, that last",
        "momentum_observer": "torque from outside on each joint, by a generalised-momentum observer",
        "torque": "measured effort of each joint; an effort that stands still while its joint lags behind",
        "angular_momentum": "angular momentum of all links about the base",
        "joint_limits": "where each joint can be stopped at the profile's acceleration, against its limits",
        "unreachable_target": "targets of an announced plan beyond joint limits, or faster than the joints are",
        "singularity": "smallest singular value of the tip's Jacobian while the arm moves towards less",
        "tracking_error": "distance of each joint from its reference that a lagging servo does not explain",
        "outcome": "the expected outcomes that show with every sample: grasp, apply_force, stop",
        "action_effect": "the expected outcomes of planned motion at the end of each sub-slice: move_joint, "
        "move_end_effector",
        "condition": "conditions of your own",
    }
)
"""What each rule measures, by its name."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a rule or condition runs. reason: why it does not, or what it does without; empty when all is well."""

    runs: bool
    reason: str


def standings(robot: WatchedRobot, settings: RuleSettings) -> dict[str, Standing]:
    """Of every rule, and as rule.condition of every condition that does not run.

    What the detector itself says of a robot it has not heard of yet. Raises ConfigurationError for settings that do not
    fit the robot.
    """
    detector = Detector(robot, settings)
    degraded = {name: reason for name, reason in detector.degraded.items() if reason != NOT_TARED}
    found = {name: Standing(True, degraded.get(name, "")) for name in RULES}
    return {**found, **{name: Standing(False, reason) for name, reason in detector.off.items()}}


def sensor_standings(driver: DriverProfile) -> dict[str, Standing]:
    """Of every rule as far as the driver alone tells, for an arm whose profile is not there."""
    lacking = {name: missing(rule.needs, driver) for name, rule in RULES.items()}
    return {name: Standing(not reason, reason) for name, reason in lacking.items()}
