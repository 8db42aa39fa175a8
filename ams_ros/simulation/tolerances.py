"""How far a joint may be from where the trajectory wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ams_ros.types import Float64Array

_DISABLED = -1.0


@dataclass(frozen=True, slots=True)
class JointTolerance:
    """One joint's entry in a goal: 0 keeps the controller's default, -1 switches the check off, above 0 is the bound.

    position rad, velocity rad/s, acceleration rad/s^2.
    """

    joint: str
    position: float = 0.0
    velocity: float = 0.0
    acceleration: float = 0.0


@dataclass(frozen=True, slots=True)
class ToleranceRequest:
    """The tolerances a goal carries. goal_time: seconds, same special values."""

    path: tuple[JointTolerance, ...] = ()
    goal: tuple[JointTolerance, ...] = ()
    goal_time: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class StateTolerance:
    """Bounds on the error of one state: (joints,) rad and rad/s; infinite where nothing is enforced.

    A trajectory controller for positions measures no acceleration, so there is nothing to bound it with.
    """

    position: Float64Array
    velocity: Float64Array

    def violated(self, position_error: Float64Array, velocity_error: Float64Array | None) -> int | None:
        """Index of the first joint outside, or None; no velocity error, no velocity check."""
        outside = np.abs(position_error) > self.position
        if velocity_error is not None:
            outside |= np.abs(velocity_error) > self.velocity
        return int(outside.argmax()) if outside.any() else None


@dataclass(frozen=True, slots=True, eq=False)
class Tolerances:
    """What one goal is held to. goal_time: seconds past the end to reach the goal, 0 for as long as it takes."""

    path: StateTolerance
    goal: StateTolerance
    goal_time: float


def default_tolerances(
    joints: int, path: Sequence[float], goal: Sequence[float], stopped_velocity: float, goal_time: float
) -> Tolerances:
    """The controller's own tolerances; 0 or an empty sequence means not enforced."""
    nothing = [0.0] * joints
    return Tolerances(
        path=StateTolerance(_bounds(path or nothing), _bounds(nothing)),
        goal=StateTolerance(_bounds(goal or nothing), _bounds([stopped_velocity] * joints)),
        goal_time=goal_time,
    )


def resolve(
    defaults: Tolerances, request: ToleranceRequest, joint_names: tuple[str, ...]
) -> tuple[Tolerances, str | None]:
    """The tolerances a goal runs with, and what was wrong with its request.

    A request with an unknown joint or an illegal value is not refused: as in joint_trajectory_controller the goal
    then runs with the defaults, all of them.
    """
    try:
        return (
            replace(
                defaults,
                path=_merged(defaults.path, request.path, joint_names, "path_tolerance"),
                goal=_merged(defaults.goal, request.goal, joint_names, "goal_tolerance"),
                goal_time=_resolved(request.goal_time, defaults.goal_time, 0.0, "goal_time_tolerance"),
            ),
            None,
        )
    except _IllegalTolerance as illegal:
        return defaults, f"{illegal}; the goal runs with the default tolerances"


class _IllegalTolerance(Exception):
    pass


def _bounds(values: Sequence[float]) -> Float64Array:
    array = np.asarray(values, dtype=np.float64)
    return np.where(array > 0.0, array, np.inf)


def _merged(
    default: StateTolerance, request: tuple[JointTolerance, ...], joint_names: tuple[str, ...], field: str
) -> StateTolerance:
    if not request:
        return default
    position, velocity = default.position.copy(), default.velocity.copy()
    for entry in request:
        if entry.joint not in joint_names:
            raise _IllegalTolerance(f"{field} names the unknown joint {entry.joint!r}")
        index, name = joint_names.index(entry.joint), f"{field} of {entry.joint}"
        position[index] = _resolved(entry.position, position[index], np.inf, f"{name}, position")
        velocity[index] = _resolved(entry.velocity, velocity[index], np.inf, f"{name}, velocity")
        _resolved(entry.acceleration, 0.0, np.inf, f"{name}, acceleration")
    return StateTolerance(position, velocity)


def _resolved(requested: float, default: float, disabled: float, name: str) -> float:
    if requested > 0.0:
        return requested
    if requested == 0.0:
        return default
    if abs(requested - _DISABLED) < np.finfo(np.float32).eps:
        return disabled
    raise _IllegalTolerance(f"{name}: got {requested}, allowed: -1 (off), 0 (default) or above 0")
