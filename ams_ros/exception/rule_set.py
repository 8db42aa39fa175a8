"""All rules there are, in the order they are asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ams_ros.exception.rule import Need, Rule, WatchedRobot
from ams_ros.exception.rules.clock_jump import ClockJump
from ams_ros.exception.rules.driver_state import DriverState
from ams_ros.exception.rules.invalid_sample import InvalidSample
from ams_ros.exception.rules.joint_limits import JointLimits
from ams_ros.exception.rules.silence import Silence
from ams_ros.exception.rules.singularity import Singularity
from ams_ros.exception.rules.unreachable_target import UnreachableTarget
from ams_ros.robot.driver import DriverProfile

_IN_ORDER: tuple[type[Rule], ...] = (
    # Nothing else can be trusted when these speak.
    DriverState,
    ClockJump,
    InvalidSample,
    Silence,
    # What a sample shows by itself.
    JointLimits,
    UnreachableTarget,
    # What takes the arm's kinematics.
    Singularity,
)

RULES: Mapping[str, type[Rule]] = MappingProxyType({rule.name: rule for rule in _IN_ORDER})
"""By name. When several fire at the same sample, the first one names the exception."""


def missing_needs(rule: type[Rule], driver: DriverProfile) -> str:
    """Why the rule cannot run with this driver, as a clause for diagnostics; empty when it can."""
    has = {
        Need.VELOCITY: driver.velocity,
        Need.EFFORT: driver.effort,
        Need.WRENCH: driver.wrench is not None,
        Need.GRIPPER: driver.gripper_measured,
        Need.DYNAMICS: driver.physical_inertia,
    }
    lacking = [need.value for need in Need if need in rule.needs and not has[need]]
    return f"needs {' and '.join(lacking)}, which {driver.name} does not have" if lacking else ""


def runnable(robot: WatchedRobot) -> tuple[type[Rule], ...]:
    """The rules that can run on this robot, in the order they are asked."""
    return tuple(rule for rule in RULES.values() if not missing_needs(rule, robot.driver))
