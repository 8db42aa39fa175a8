"""A fault: what goes wrong, when, for how long, how badly and where; checked against what there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Float64Array

LONGEST = 3600.0
"""A fault begins and lasts at most this long, s."""

HAND, FOREARM = "hand", "forearm"
AHEAD, ABOVE_TABLE = "ahead", "above_table"
SAMPLE, CONTENT = "sample", "content"
CANCELS, GOALS = "cancels", "goals"
WRENCH = "wrench"
_JOINTS = "<joints>"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    onset, duration: s of simulation time; a duration of 0 lasts until the fault is ended. magnitude: 0 for the
    default. target: empty for the default. direction: (3,) of a push in base_link, of any length; None for a random
    one. Names, units and targets are those of `FAULTS`.
    """

    name: str
    onset: float = 0.0
    duration: float = 0.0
    magnitude: float = 0.0
    target: str = ""
    direction: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What is known of one kind of fault.

    default, minimum, maximum: of its magnitude in `unit`; all 0 where it has none. targets: the first is the default;
    _JOINTS stands for the arm's joints.
    """

    unit: str = ""
    default: float = 0.0
    minimum: float = 0.0
    maximum: float = 0.0
    targets: tuple[str, ...] = ("",)


FAULTS: Mapping[str, FaultKind] = {
    "push": FaultKind("N", 25.0, 0.1, 500.0, (HAND, FOREARM)),
    "obstacle": FaultKind("m of clearance", 0.02, 0.005, 0.3, (AHEAD, ABOVE_TABLE)),
    "slippery": FaultKind("sliding friction coefficient", 0.02, 0.001, 2.0),
    "stuck_joint": FaultKind("N m that hold it", 200.0, 1.0, 1000.0, (_JOINTS,)),
    "torque_saturation": FaultKind("share of the torque limit", 0.1, 0.001, 1.0, ("", _JOINTS)),
    "drop_joint_states": FaultKind(),
    "freeze_joint_states": FaultKind(targets=(SAMPLE, CONTENT)),
    "drop_wrench": FaultKind(),
    "nan_samples": FaultKind(targets=(_JOINTS, WRENCH)),
    "refuse_cancel": FaultKind(targets=(CANCELS, GOALS)),
    "ignore_cancel": FaultKind(),
    "driver_restart": FaultKind(),
}
"""All kinds of faults by name.

push: a force on the gripper or the forearm. obstacle: a box in the way of the tip, as soon as the arm moves, or at a
place above the table. slippery: the cubes' friction. stuck_joint: a joint jams. torque_saturation: of one joint or
all. freeze_joint_states: the last sample again and again, or its content under fresh stamps. nan_samples: one joint of
the joint states, or the wrench. refuse_cancel: cancel requests are refused, or new goals as well. ignore_cancel: they
are accepted and nothing happens. driver_restart: until it is over, requests are refused, nothing is measured, and
nobody is told that the goals ended.
"""


def checked(fault: Fault, profile: RobotProfile) -> Fault:
    """The fault with its defaults filled in. Raises ConfigurationError naming what is allowed."""
    kind = FAULTS.get(fault.name)
    if kind is None:
        raise ConfigurationError("fault", fault.name, ", ".join(FAULTS))
    for key, value in (("onset", fault.onset), ("duration", fault.duration)):
        if not 0.0 <= value <= LONGEST:
            raise ConfigurationError(f"{fault.name}.{key}", value, f"0 to {LONGEST:g} s")
    magnitude = kind.default if fault.magnitude == 0.0 else fault.magnitude
    if not kind.minimum <= magnitude <= kind.maximum:
        allowed = f"{kind.minimum:g} to {kind.maximum:g} {kind.unit}, 0 for {kind.default:g}" if kind.unit else "0"
        raise ConfigurationError(f"{fault.name}.magnitude", fault.magnitude, allowed)
    targets = tuple(name for target in kind.targets for name in _expanded(target, profile))
    if fault.target and fault.target not in targets:
        raise ConfigurationError(f"{fault.name}.target", fault.target, ", ".join(filter(None, targets)) or "none")
    if fault.direction is not None and (fault.name != "push" or not _points_somewhere(fault.direction)):
        raise ConfigurationError(f"{fault.name}.direction", fault.direction, "of a push: three numbers, not all 0")
    return replace(fault, magnitude=magnitude, target=fault.target or targets[0])


def random_direction(seed: int) -> tuple[float, float, float]:
    """A unit vector, all directions equally likely."""
    drawn: Float64Array = np.random.default_rng(seed).normal(size=3)
    x, y, z = drawn / np.linalg.norm(drawn)
    return float(x), float(y), float(z)


def _expanded(target: str, profile: RobotProfile) -> tuple[str, ...]:
    return profile.joint_names if target == _JOINTS else (target,)


def _points_somewhere(direction: tuple[float, float, float]) -> bool:
    return len(direction) == 3 and bool(np.isfinite(direction).all()) and bool(np.linalg.norm(direction) > 0.0)
