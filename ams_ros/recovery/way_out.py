"""The shortest way out of where the arm touches something."""

from __future__ import annotations

import time

import numpy as np

from ams_ros.errors import PlanningError
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Float64Array

_RADII = np.geomspace(0.01, 1.2, 25)
"""rad, tried from near to far."""

_RANDOM_DIRECTIONS = 64

_DEEPER = 0.001
"""m that an overlap may grow on the way out: less than a table or a gripper gives way."""


def way_out(checker: ArmCollisionChecker, start: Float64Array, seed: int, deadline: float) -> Float64Array:
    """Joint angles (dof,) rad near `start` where nothing touches, reached in a straight line without pushing deeper.

    On that line nothing touches that does not at the start, and what touches there overlaps hardly more than there.
    deadline: s, of time.monotonic(). Raises PlanningError when there is no such place within reach or time is up.
    """
    profile, touching = checker.profile, checker.collides(start)
    allowed = np.minimum(checker.clearances(start), 0.0) - _DEEPER
    directions = _directions(profile, start, seed)
    for radius in _RADII:
        for direction in directions:
            if time.monotonic() > deadline:
                raise PlanningError(f"the arm stands where {touching}, and no way out was found in time")
            end: Float64Array = np.clip(start + radius * direction, profile.lower, profile.upper)
            if checker.collides(end) is None and _never_deeper(checker, start, end, allowed):
                return end
    raise PlanningError(f"the arm stands where {touching}, and no short way out was found that does not push harder")


def _directions(profile: RobotProfile, start: Float64Array, seed: int) -> Float64Array:
    """(n, dof) unit vectors: the tip along every axis with the gripper kept upright, single joints, many at random."""
    dof = len(start)
    pulls = np.linalg.pinv(ArmDynamics(profile).jacobian(start), rcond=0.05)[:, :3].T
    axes = np.concatenate([pulls, np.eye(dof)])
    mixed = np.random.default_rng(seed).normal(size=(_RANDOM_DIRECTIONS, dof))
    found = np.concatenate([axes, -axes, mixed])
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return np.asarray(found, dtype=np.float64)


def _never_deeper(checker: ArmCollisionChecker, start: Float64Array, end: Float64Array, allowed: Float64Array) -> bool:
    return all((checker.clearances(position) >= allowed).all() for position in checker.poses_along(start, end))
