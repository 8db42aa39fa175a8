"""What a rule is: it looks at the robot's state with every sample and says when something is wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from ams_ros.exception.persistence import Debounce
from ams_ros.exception.state import RobotState
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Evidence, ExceptionKind, Severity

SEVERITIES = (Severity.MINOR, Severity.SERIOUS, Severity.CRITICAL)
"""The least first."""


class Need(Enum):
    """What a rule cannot do without; a robot that lacks it runs the others, and diagnostics say which are off."""

    VELOCITY = "measured joint velocity"
    EFFORT = "measured joint effort in N m"
    WRENCH = "a wrench sensor"
    GRIPPER = "a measured gripper joint"
    DYNAMICS = "masses and inertias that are physical"


@dataclass(frozen=True, slots=True)
class WatchedRobot:
    """What is known of the robot before it moves."""

    profile: RobotProfile
    driver: DriverProfile
    dynamics: ArmDynamics


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that fired. stamp: of the sample, s on the robot's clock."""

    rule: str
    kind: ExceptionKind
    severity: Severity
    message: str
    evidence: tuple[Evidence, ...]
    stamp: float


class Rule(ABC):
    """One reason to stop.

    A rule keeps what it needs between samples (counters, filters) in preallocated arrays, allocates only when it
    fires, compares `value > limit * state.caution` (caution is 1 for a task, less for a recovery) and returns None
    while all is well. It never sees a sample that is not finite, has a wrong size or lies back in time: the detector
    refuses those first. An exception that escapes a rule stops the arm and takes the monitor to error.
    """

    name: ClassVar[str]
    """Lower case with underscores; names the rule in settings, messages and diagnostics."""
    kind: ClassVar[ExceptionKind]
    severity: ClassVar[Severity]
    needs: ClassVar[frozenset[Need]] = frozenset()
    always: ClassVar[bool] = False
    """Whether it also speaks while nothing is under execution and the arm is at rest."""
    Settings: ClassVar[type[Any]]
    """Frozen dataclass of its thresholds, every field made by `settings.limit`."""

    def __init__(self, settings: Any, robot: WatchedRobot) -> None:
        """settings: an instance of `Settings`."""
        self.settings, self.robot = settings, robot
        self.margin = 0.0
        """The last sample's value divided by its limit, largest over the quantities; above 1 the rule fires once its
        debounce is over. For diagnostics and plots."""

    def compared(self) -> Mapping[str, Sequence[float]]:
        """For calibration: by name of each threshold that can be learned, what the newest sample is compared with.

        In the threshold's unit, before debounce, while `state.caution` is 1; one number, or one for each joint. Rules
        that have such thresholds also have `debounce`.
        """
        return {}

    @property
    def debounce(self) -> Debounce | None:
        """For calibration: what decides how often or how long a reading must be above its limit."""
        return None

    def begin(self, state: RobotState) -> None:  # noqa: B027 - most rules keep nothing per plan
        """A plan came under execution (`state.plan`), or execution ended (`state.plan` is None)."""

    def reset(self) -> None:  # noqa: B027 - most rules keep no past
        """Forget the past: a stop was released, or the robot restarted."""

    def joints(self, state: RobotState) -> Violation | None:
        """A joint sample arrived."""
        return None

    def wrench(self, state: RobotState) -> Violation | None:
        """A wrench sample arrived."""
        return None

    def sub_slice(self, state: RobotState, index: int, begin: RobotState) -> Violation | None:
        """Sub-slice `index` of `state.plan` has just ended. begin: the state when it began."""
        return None

    def tick(self, state: RobotState, now: float) -> Violation | None:
        """Time passed without a sample. now: s, steady clock, the one of `state.joints_arrival`."""
        return None

    def violation(self, state: RobotState, message: str, *evidence: Evidence) -> Violation:
        """The violation of this rule at the present sample."""
        return Violation(self.name, self.kind, self.severity, message, evidence, state.stamp)


class JointRule(Rule):
    """A rule that looks at joint samples."""

    @abstractmethod
    def joints(self, state: RobotState) -> Violation | None:
        """A joint sample arrived."""


class WrenchRule(Rule):
    """A rule that looks at wrench samples."""

    needs = frozenset({Need.WRENCH})

    @abstractmethod
    def wrench(self, state: RobotState) -> Violation | None:
        """A wrench sample arrived."""
