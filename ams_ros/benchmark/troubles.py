"""Troubles that keep coming while a task runs: slick cubes, pushes, targets that are off (spec rows E1, E2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.faults.fault import FOREARM, HAND, Fault, random_direction
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.types import Float64Array

NONE, SLICK, PUSHES, OFFSETS, ALL = "none", "slick", "pushes", "offsets", "all"

SCENARIOS: Mapping[str, tuple[str, ...]] = {
    NONE: (),
    SLICK: (SLICK,),
    PUSHES: (PUSHES,),
    OFFSETS: (OFFSETS,),
    ALL: (SLICK, PUSHES, OFFSETS),
}
"""Which kinds of trouble take turns in each."""

_FIRST, _GAP = (1.0, 4.0), (4.0, 10.0)
"""s until the first trouble begins, and between the begins of two."""

_SECONDS: Mapping[str, float] = {SLICK: 3.0, PUSHES: 0.8, OFFSETS: 2.5}
_OFFSET = 0.08
"""rad; 2 cm at a reach of 25 cm, more than a grasp of these cubes forgives."""


@dataclass(frozen=True, slots=True, eq=False)
class Trouble:
    """One of them.

    begin, seconds: s, on the episode's clock. fault: what the simulation injects; None for targets that are off by
    `offset`, (dof,) rad.
    """

    kind: str
    begin: float
    seconds: float
    fault: Fault | None
    offset: Float64Array


def check_scenario(name: str) -> None:
    """Raise ConfigurationError unless there is a scenario of that name."""
    if name not in SCENARIOS:
        raise ConfigurationError("faults", name, ", ".join(SCENARIOS))


def draw_troubles(scenario: str, seed: int, profile: RobotProfile, until: float) -> tuple[Trouble, ...]:
    """All of one episode, `until` s long; the same seed, the same troubles."""
    kinds, drawn = SCENARIOS[scenario], np.random.default_rng([seed, len(scenario)])
    found: list[Trouble] = []
    begin = float(drawn.uniform(*_FIRST))
    while kinds and begin < until:
        kind, sign = kinds[int(drawn.integers(len(kinds)))], float(drawn.choice((-1.0, 1.0)))
        found.append(_trouble(kind, begin, int(drawn.integers(2**31)), sign, profile))
        begin += max(float(drawn.uniform(*_GAP)), _SECONDS[kind])
    return tuple(found)


def _trouble(kind: str, begin: float, seed: int, sign: float, profile: RobotProfile) -> Trouble:
    seconds, offset = _SECONDS[kind], np.zeros(len(profile.joints))
    if kind == OFFSETS:
        offset[0] = sign * _OFFSET
        return Trouble(kind, begin, seconds, None, offset)
    if kind == SLICK:
        return Trouble(kind, begin, seconds, Fault("slippery", 0.0, seconds), offset)
    target = (HAND, FOREARM)[seed % 2]
    push = Fault("push", 0.0, seconds, target=target, direction=random_direction(seed))
    return Trouble(kind, begin, seconds, push, offset)


class Troublemaker:
    """Brings the troubles of one episode upon its robot; asked before every slice."""

    def __init__(self, robot: SimulatedRobot, troubles: tuple[Trouble, ...], ahead: float) -> None:
        """The episode begins now. ahead: s; a trouble that begins within so long is handed to the simulation."""
        self._robot, self._waiting, self._ahead = robot, list(troubles), ahead
        self._troubles, self._begin = troubles, robot.plant.time

    def turn(self) -> Float64Array | None:
        """Hand over what is due; returns by how much targets are off now, (dof,) rad, None for not."""
        from_now = self._robot.plant.time - self._begin
        while self._waiting and self._waiting[0].begin < from_now + self._ahead:
            trouble = self._waiting.pop(0)
            if trouble.fault is not None:
                onset = max(0.0, trouble.begin - from_now)
                fault = trouble.fault
                self._robot.inject(
                    Fault(fault.name, onset, fault.duration, fault.magnitude, fault.target, fault.direction)
                )
        off = [each.offset for each in self._troubles if each.begin <= from_now < each.begin + each.seconds]
        total = np.sum(off, axis=0) if off else np.zeros(1)
        return total if np.any(total) else None
