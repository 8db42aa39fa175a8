"""Joint angles that put the tip where it is wanted, for any arm and any orientation of the gripper."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ams_ros.errors import PlanningError
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Float64Array

TipPose = tuple[Float64Array, Float64Array]
"""As `kinematics.forward` gives it: rotation (3, 3) and place (3,) m of the tip link in the base link."""

_PLACE_ERROR, _TURN_ERROR = 1e-5, 1e-4
"""m and rad within which a pose counts as reached."""

_RADIUS = 0.2
"""m; a turn by one radian counts as much as being this far off."""

_RESTARTS = 60
_PROMISING = 0.01
"""m; a search that ended nearer than this is carried on along the limits."""


def reach(profile: RobotProfile, pose: TipPose, seed: Float64Array) -> Float64Array:
    """Joint angles (dof,) rad within the limits that put the tip at `pose`.

    seed: (dof,) rad, where the search begins, so that a pose near the arm's present one is reached without a detour;
    after it fails, other beginnings within the limits are tried, always the same. An arm with less than six joints
    reaches few orientations exactly. Raises PlanningError saying how far off the nearest pose found is.
    """
    rotation, place = (np.asarray(each, dtype=np.float64) for each in pose)
    seed = np.asarray(seed, dtype=np.float64)
    if rotation.shape != (3, 3) or place.shape != (3,) or seed.shape != profile.start.shape:
        raise PlanningError(f"pose {rotation.shape}, {place.shape} and seed {seed.shape} do not fit the arm")
    if not all(np.isfinite(each).all() for each in (rotation, place, seed)):
        raise PlanningError("a pose or seed holds a number that is not finite")
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6) or np.linalg.det(rotation) < 0.0:
        raise PlanningError(f"rotation {rotation.tolist()} is none: its columns are no right-handed frame of length 1")
    search = _Search(profile, rotation, place)
    nearest, off = (np.inf, np.inf), np.inf
    for begin in itertools.islice(_beginnings(profile, seed), _RESTARTS):
        angles, distance, turn = search.descend(begin)
        if distance <= _PLACE_ERROR and turn <= _TURN_ERROR:
            return angles
        if distance + _RADIUS * turn < off:
            nearest, off = (distance, turn), distance + _RADIUS * turn
    raise PlanningError(
        f"the arm cannot bring its tip to {np.round(place, 4).tolist()} m in that orientation: "
        f"it stays {nearest[0]:.4f} m and {nearest[1]:.3f} rad off"
    )


def _beginnings(profile: RobotProfile, seed: Float64Array) -> Iterator[Float64Array]:
    yield np.clip(seed, profile.lower, profile.upper)
    yield profile.start
    rng = np.random.default_rng(0)
    while True:
        yield rng.uniform(profile.lower, profile.upper)


class _Search:
    """The search for one pose of the tip."""

    def __init__(self, profile: RobotProfile, rotation: Float64Array, place: Float64Array) -> None:
        import pinocchio  # noqa: PLC0415 - a third of a second that the command line need not pay

        self._pin: Any = pinocchio
        self._dynamics, self._rotation, self._place = ArmDynamics(profile), rotation, place
        self._lower, self._upper = profile.lower, profile.upper

    def descend(self, begin: Float64Array) -> tuple[Float64Array, float, float]:
        """The best angles near `begin`, by damped least squares within the limits; how far off, m and rad.

        What stays inside the limits finds its way best; what may lie on them ends best where a joint is at its limit.
        """
        from scipy.optimize import least_squares  # noqa: PLC0415 - the command line starts quicker without it

        inside = 1e-6 * (self._upper - self._lower)
        angles = np.clip(begin, self._lower + inside, self._upper - inside)
        distance, turn = np.inf, np.inf
        for method, steps in (("trf", 40), ("dogbox", 15)):
            angles = least_squares(
                self._difference, angles, self._slope, (self._lower, self._upper),
                method=method, xtol=1e-12, ftol=1e-14, gtol=1e-14, max_nfev=steps,
            ).x  # fmt: skip
            difference = self._difference(angles)
            distance, turn = float(np.linalg.norm(difference[:3])), float(np.linalg.norm(difference[3:])) / _RADIUS
            if distance > _PROMISING or (distance <= _PLACE_ERROR and turn <= _TURN_ERROR):
                break
        return angles, distance, turn

    def _difference(self, angles: Float64Array) -> Float64Array:
        """(6,) m: place, then turn times _RADIUS."""
        now, there = self._dynamics.tip_pose(angles)
        return np.concatenate([there - self._place, _RADIUS * self._pin.log3(self._rotation.T @ now)])

    def _slope(self, angles: Float64Array) -> Float64Array:
        """(6, dof) m/rad, the derivative of the difference."""
        now, _ = self._dynamics.tip_pose(angles)
        slope = self._dynamics.jacobian(angles).copy()
        slope[3:] = _RADIUS * self._pin.Jlog3(self._rotation.T @ now) @ now.T @ slope[3:]
        return slope
