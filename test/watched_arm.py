"""A WidowX as the exception monitor sees it, and joint states for it."""

from __future__ import annotations

from array import array
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ams_ros.exception.detector import Detector
from ams_ros.exception.plan import MotionPlan
from ams_ros.exception.rule import Rule, Violation, WatchedRobot
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.sub_slices import cut_into_sub_slices
from ams_ros.exception.threshold_file import RuleSetting, default_rule_settings
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.types import Float64Array

PROFILE = load_profile("widowx_250s")
NAMES = [*PROFILE.joint_names, PROFILE.gripper.joint]
PERIOD = 0.01
"""s between two joint states."""


@cache
def _dynamics() -> ArmDynamics:
    return ArmDynamics(PROFILE)


def watched(**driver: Any) -> WatchedRobot:
    """The simulated WidowX; `driver` overrides fields of its driver."""
    return WatchedRobot(PROFILE, replace(load_driver("simulated_widowx"), **driver), _dynamics())


def only(*rules: str, **thresholds: Any) -> dict[str, RuleSetting]:
    """Settings with these rules on, the first one with these thresholds, and all others off."""
    settings = {name: replace(setting, enabled=name in rules) for name, setting in default_rule_settings().items()}
    first = rules[0]
    return {**settings, first: RuleSetting(True, RULES[first].Settings(**thresholds))}


def plan(joints: Float64Array, begin: Float64Array = PROFILE.start, period: float = 0.05) -> MotionPlan:
    """A plan through these rows, (steps, dof) rad."""
    return MotionPlan("aa", "c", 0, 0, joints, np.nan, np.nan, period, cut_into_sub_slices(joints, begin, period))


class Arm:
    """Feeds a detector with joint states, one every PERIOD, stamps and arrivals alike, and ticks if wanted."""

    def __init__(self, detector: Detector, position: Float64Array = PROFILE.start, ticks: bool = False) -> None:
        self.detector, self.position, self.ticks = detector, position.copy(), ticks
        self.velocity = np.zeros(len(position))
        self.now = 10.0

    def stand(self, samples: int = 1) -> list[Violation]:
        """Send the position as it is."""
        return [found for _ in range(samples) if (found := self._sample()) is not None]

    def move(self, velocity: Float64Array, samples: int) -> list[Violation]:
        """Move with `velocity` (dof,) rad/s."""
        self.velocity = velocity
        found = []
        for _ in range(samples):
            self.position = self.position + velocity * PERIOD
            found.append(self._sample())
        self.velocity = np.zeros(len(velocity))
        return [each for each in found if each is not None]

    def _sample(self) -> Violation | None:
        self.now += PERIOD
        found = self.detector.joints(*message(self.position, self.velocity), self.now, self.now)
        late = self.detector.tick(self.now) if self.ticks else None
        return found or late


def message(position: Float64Array, velocity: Float64Array) -> tuple[Any, ...]:
    """Names and arrays of a joint state as rclpy delivers them; the fingers stand at 0.03 m."""
    return (
        list(NAMES),
        array("d", [*position, 0.03]),
        array("d", [*velocity, 0.0]),
        array("d", bytes(8 * len(NAMES))),
    )


def one_joint(joint: int, value: float) -> Float64Array:
    """(dof,) zero but for one joint."""
    found = np.zeros(len(PROFILE.joints))
    found[joint] = value
    return found


def rule_of(detector: Detector, name: str) -> Rule:
    """The rule of that name that runs."""
    return next(rule for rule in detector.rules if rule.name == name)
