"""When a path's points are reached: jerk-limited timing by ruckig, straight between waypoints."""

from __future__ import annotations

import itertools

import numpy as np

from ams_ros.errors import PlanningError
from ams_ros.recovery.planner import PlannedMotion
from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Float64Array

JERK_PER_ACCELERATION = 10.0
"""Jerk limit (rad/s^3) over acceleration limit (rad/s^2), 1/s: full acceleration is reached in 0.1 s. No profile names
a jerk limit; this is gentle next to what the arms' own controllers do."""

LONGEST = 120.0
"""s; a path that takes longer at the scale asked for is refused."""

_SHORTEST_LEG = 1e-9
"""rad; waypoints closer together than this are one."""

_ROUNDING = 1e-9
"""rad by which a waypoint may lie outside a limit it was clipped to."""


def time_path(waypoints: Float64Array, profile: RobotProfile, scale: float, period: float = 0.02) -> PlannedMotion:
    """Time a path of straight joint-space legs, coming to rest at every waypoint.

    waypoints: (n, dof) rad, the first is where the arm stands. scale: above 0 to 1, of the profile's speed and
    acceleration limits; the jerk limit is JERK_PER_ACCELERATION times the acceleration's. period: s between rows.

    A row falls on every waypoint, so no corner is cut, and the last row is the last waypoint exactly. Every row lies on
    the legs: it stays within joint limits where the waypoints do. Only the first waypoint may lie outside them, so that
    an arm pushed past a limit can come back. Raises PlanningError for what cannot be timed.
    """
    path = _checked(waypoints, profile, scale, period)
    rows = [path[:1]]
    longest = int(LONGEST / period)
    for begin, end in itertools.pairwise(path):
        if np.abs(end - begin).max() > _SHORTEST_LEG:
            share = _leg(end - begin, profile, scale, period)
            rows.append(begin + share[:, None] * (end - begin))
            rows[-1][-1] = end
        if sum(len(each) for each in rows) > longest:
            raise PlanningError(f"the motion would take more than {LONGEST:g} s at scale {scale:g}")
    joints = np.concatenate(rows)[1:]
    return PlannedMotion(joints if len(joints) else path[-1:].copy(), period)


def _leg(difference: Float64Array, profile: RobotProfile, scale: float, period: float) -> Float64Array:
    """(steps,) share of one leg done at the end of each period, the last one 1.

    One degree of freedom, the share of the way, under the tightest of the joints' limits: what it yields is straight
    by construction.
    """
    import ruckig  # noqa: PLC0415 - the command line starts quicker without it

    moving = np.abs(difference) > 0.0
    speed = float((profile.velocity[moving] / np.abs(difference[moving])).min()) * scale
    acceleration = float((profile.acceleration[moving] / np.abs(difference[moving])).min()) * scale
    wanted = ruckig.InputParameter(1)
    wanted.current_position, wanted.target_position = [0.0], [1.0]
    wanted.max_velocity, wanted.max_acceleration = [speed], [acceleration]
    wanted.max_jerk = [acceleration * JERK_PER_ACCELERATION]
    wanted.duration_discretization = ruckig.DurationDiscretization.Discrete
    trajectory = ruckig.Trajectory(1)
    try:
        result = ruckig.Ruckig(1, period).calculate(wanted, trajectory)
    except (ruckig.RuckigError, ValueError) as error:  # ValueError: a result its Python side has no name for
        raise PlanningError(f"the motion cannot be timed at scale {scale:g}: {error}") from error
    if result not in (ruckig.Result.Working, ruckig.Result.Finished):
        raise PlanningError(f"the motion cannot be timed at scale {scale:g}: ruckig says {result}")
    if not trajectory.duration <= LONGEST:
        raise PlanningError(f"the motion would take {trajectory.duration:.0f} s at scale {scale:g}")
    steps = max(1, round(trajectory.duration / period))
    share = np.array([trajectory.at_time((step + 1) * period)[0][0] for step in range(steps)])
    return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float64)


def _checked(waypoints: Float64Array, profile: RobotProfile, scale: float, period: float) -> Float64Array:
    path = np.asarray(waypoints, dtype=np.float64)
    dof = len(profile.joints)
    if path.ndim != 2 or path.shape[1] != dof or not len(path):
        raise PlanningError(f"waypoints {path.shape}, expected at least one row of {dof} angles")
    if not np.isfinite(path).all():
        raise PlanningError("a waypoint holds an angle that is not a finite number")
    if not 0.0 < scale <= 1.0:
        raise PlanningError(f"scale {scale:g}, expected above 0 and at most 1")
    if not 1e-3 <= period <= 1.0:
        raise PlanningError(f"period {period:g} s, expected 0.001 to 1")
    outside = (path[1:] < profile.lower - _ROUNDING) | (path[1:] > profile.upper + _ROUNDING)
    if outside.any():
        row, joint = (int(each) for each in np.argwhere(outside)[0])
        spec = profile.joints[joint]
        raise PlanningError(
            f"waypoint {row + 1}: {spec.name} at {path[row + 1, joint]:.4f} rad, "
            f"its limits are {spec.lower:.4f} to {spec.upper:.4f}"
        )
    return path
