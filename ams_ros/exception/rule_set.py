"""All rules there are, in the order of how much they explain."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ams_ros.exception.rule import Rule
from ams_ros.exception.rules.action_effect import ActionEffect
from ams_ros.exception.rules.angular_momentum import AngularMomentum
from ams_ros.exception.rules.clock_jump import ClockJump
from ams_ros.exception.rules.condition import ConditionRule
from ams_ros.exception.rules.driver_state import DriverState
from ams_ros.exception.rules.free_contact import FreeContact
from ams_ros.exception.rules.invalid_sample import InvalidSample
from ams_ros.exception.rules.joint_limits import JointLimits
from ams_ros.exception.rules.momentum_observer import MomentumObserver
from ams_ros.exception.rules.outcome import Outcome
from ams_ros.exception.rules.silence import Silence
from ams_ros.exception.rules.singularity import Singularity
from ams_ros.exception.rules.torque import Torque
from ams_ros.exception.rules.tracking_error import TrackingError
from ams_ros.exception.rules.unreachable_target import UnreachableTarget
from ams_ros.exception.rules.wrench_contact import WrenchContact
from ams_ros.exception.rules.wrench_jump import WrenchJump

_IN_ORDER: tuple[type[Rule], ...] = (
    # Nothing else can be trusted when these speak.
    DriverState,
    ClockJump,
    InvalidSample,
    Silence,
    # Something was hit: seen directly, then by what it does to the motors and to the motion.
    WrenchJump,
    FreeContact,
    WrenchContact,
    MomentumObserver,
    Torque,
    AngularMomentum,
    JointLimits,
    UnreachableTarget,
    Singularity,
    TrackingError,
    # The arm is well, but the action was not.
    Outcome,
    ActionEffect,
    ConditionRule,
)

RULES: Mapping[str, type[Rule]] = MappingProxyType({rule.name: rule for rule in _IN_ORDER})
"""By name. When several fire at the same sample, the first one names the exception."""
