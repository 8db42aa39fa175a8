"""The shortest way out of where the arm touches something."""

from __future__ import annotations

import time

import numpy as np

from ams_ros.errors import PlanningError
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.types import Float64Array

_RADII = np.geomspace(0.01, 1.2, 25)
"""rad, tried from near to far."""

_RANDOM_DIRECTIONS = 64

_DEEPER = 0.0005
"""m that an overlap may grow on the way out, for the rounding of distances."""


def way_out(checker: ArmCollisionChecker, start: Float64Array, seed: int, deadline: float) -> Float64Array:
    """Joint angles (dof,) rad near `start` where nothing touches, reached in a straight line without pushing deeper.

    On that line nothing touches that does not at the start, and what touches there overlaps no more than there.
    deadline: s, of time.monotonic(). Raises PlanningError when there is no such place within reach or time is up.
    """
    profile, touching = checker.profile, checker.collides(start)
    allowed = np.minimum(checker.clearances(start), 0.0) - _DEEPER
    directions = _directions(len(start), seed)
    for radius in _RADII:
        for direction in directions:
            if time.monotonic() > deadline:
                raise PlanningError(f"the arm stands where {touching}, and no way out was found in time")
            end: Float64Array = np.clip(start + radius * direction, profile.lower, profile.upper)
            if checker.collides(end) is None and _never_deeper(checker, start, end, allowed):
                return end
    raise PlanningError(f"the arm stands where {touching}, and no short way out was found that does not push harder")


def _directions(dof: int, seed: int) -> Float64Array:
    """(n, dof) unit vectors: every joint by itself either way, and many at random."""
    single = np.concatenate([np.eye(dof), -np.eye(dof)])
    mixed = np.random.default_rng(seed).normal(size=(_RANDOM_DIRECTIONS, dof))
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    return np.asarray(np.concatenate([single, mixed]), dtype=np.float64)


def _never_deeper(checker: ArmCollisionChecker, start: Float64Array, end: Float64Array, allowed: Float64Array) -> bool:
    return all((checker.clearances(position) >= allowed).all() for position in checker.poses_along(start, end))
