"""How each fault is injected, and as which exceptions it may rightly be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.faults.fault import FAULTS, FOREARM, HAND, Fault, random_direction
from ams_ros.types import ExceptionKind as Kind

_EARLIEST, _LATEST = 0.5, 5.0
"""s into the task a fault begins; tasks of one cube take 5.6 s and more."""

_STRUCK = frozenset({Kind.COLLISION, Kind.TORQUE})
_HELD = frozenset({Kind.COLLISION, Kind.TORQUE, Kind.UNEXPECTED_ACTION})
_BLIND = frozenset({Kind.CRASH})


@dataclass(frozen=True, slots=True)
class FaultCase:
    """One row of the benchmark.

    seconds: how long the fault lasts. latest: s into the task it begins at the latest. kinds: what it may be told as,
    for `reason`. push: what else is needed for the fault to show: N on the hand at the same time, 0 for none.
    """

    name: str
    seconds: float
    kinds: frozenset[Kind]
    reason: str
    latest: float = _LATEST
    push: float = 0.0

    def faults(self, seed: int, profile: RobotProfile) -> tuple[Fault, ...]:
        """What is injected in the scene of that seed; the same seed, the same faults."""
        drawn = np.random.default_rng([seed, list(FAULTS).index(self.name)])
        onset = round(float(drawn.uniform(_EARLIEST, self.latest)), 2)
        target = _target(self.name, seed, profile)
        direction = random_direction(seed) if self.name == "push" else None
        fault = Fault(self.name, onset, self.seconds, target=target, direction=direction)
        if not self.push:
            return (fault,)
        strike = Fault("push", onset, _PUSH_SECONDS, self.push, HAND, random_direction(seed))
        return (fault, strike)

    @property
    def shows(self) -> str:
        """The fault whose effect is looked for: the push, where one is needed for this fault to show."""
        return "push" if self.push else self.name


_PUSH_SECONDS = 0.8

CASES: Mapping[str, FaultCase] = {
    case.name: case
    for case in (
        FaultCase("push", _PUSH_SECONDS, _STRUCK, "a force from outside; it may show in the motors first"),
        FaultCase("obstacle", 3.0, _STRUCK, "the arm runs into a box; it may show in the motors first"),
        FaultCase(
            "slippery", 5.0, frozenset({Kind.UNEXPECTED_ACTION}), "the fingers close and hold nothing", latest=2.0
        ),
        FaultCase("stuck_joint", 1.5, _HELD, "a joint held fast from outside or inside: force, torque, no motion"),
        FaultCase("torque_saturation", 1.5, _HELD, "the arm is too weak for its motion: error, torque, no motion"),
        FaultCase("drop_joint_states", 0.6, _BLIND, "the arm is not seen"),
        FaultCase("freeze_joint_states", 0.6, _BLIND, "the arm is not seen, though samples come"),
        FaultCase("drop_wrench", 0.6, _BLIND, "the wrist's sensor is silent"),
        FaultCase("nan_samples", 0.6, _BLIND, "what the sensor says is no number"),
        FaultCase("refuse_cancel", 3.0, _STRUCK, "a push, and a controller that refuses to stop", push=25.0),
        FaultCase(
            "ignore_cancel", 3.0, _STRUCK, "a push, and a controller that agrees to stop and does not", push=25.0
        ),
        FaultCase("driver_restart", 1.0, _BLIND, "nothing is measured and nobody answers"),
    )
}
"""All kinds of faults there are, by name."""


def _target(name: str, seed: int, profile: RobotProfile) -> str:
    """Targets take turns from seed to seed; empty for the default."""
    joints = profile.joint_names
    turns: Mapping[str, tuple[str, ...]] = {
        "push": (HAND, FOREARM),
        "stuck_joint": joints,
        "torque_saturation": ("", *joints[1:3]),
        "freeze_joint_states": FAULTS["freeze_joint_states"].targets,
        "nan_samples": (joints[seed % len(joints)], "wrench"),
        "refuse_cancel": FAULTS["refuse_cancel"].targets,
    }
    choices = turns.get(name, ("",))
    return choices[seed % len(choices)]
