"""Joint trajectories as they arrive in a goal, and the reasons for which a controller refuses them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ams_ros.types import Float64Array

_NO_VALUES: Float64Array = np.empty(0)
_ZERO_VELOCITY = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Waypoint:
    """One point of a trajectory; an empty array means that the sender left the quantity out.

    time: seconds from the start of the trajectory.
    position, velocity, acceleration, effort: (joints,) in the order of the trajectory's joint names, SI units.
    """

    time: float
    position: Float64Array
    velocity: Float64Array = field(default_factory=lambda: _NO_VALUES)
    acceleration: Float64Array = field(default_factory=lambda: _NO_VALUES)
    effort: Float64Array = field(default_factory=lambda: _NO_VALUES)


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """What a goal asks for. start: seconds on the controller's clock, 0 for "as soon as it is accepted"."""

    joint_names: tuple[str, ...]
    points: tuple[Waypoint, ...]
    start: float = 0.0


@dataclass(frozen=True, slots=True)
class AcceptanceRules:
    """What a controller for `joint_names` takes; the defaults are those of joint_trajectory_controller."""

    joint_names: tuple[str, ...]
    allow_partial_joints_goal: bool = False
    allow_nonzero_velocity_at_trajectory_end: bool = False


def reason_to_reject(trajectory: Trajectory, rules: AcceptanceRules, now: float) -> str | None:
    """Why a position controller must refuse the trajectory, or None when it is sound.

    The checks are those of joint_trajectory_controller (ros2_controllers jazzy@ed360c97), plus two it lacks: a joint
    named twice, and a value that is not finite, which there would reach the hardware.
    """
    return (
        _wrong_joints(trajectory, rules)
        or _moving_end(trajectory, rules)
        or _ends_in_the_past(trajectory, now)
        or next((reason for index in range(len(trajectory.points)) if (reason := _bad_point(trajectory, index))), None)
    )


def _wrong_joints(trajectory: Trajectory, rules: AcceptanceRules) -> str | None:
    names, known = trajectory.joint_names, rules.joint_names
    if not rules.allow_partial_joints_goal and len(names) != len(known):
        return f"joints {list(names)} do not match the controller's joints {list(known)}"
    if not names:
        return "no joint names"
    if not trajectory.points:
        return "no points"
    unknown = [name for name in names if name not in known]
    if unknown:
        return f"joints {unknown} are not among the controller's joints {list(known)}"
    if len(set(names)) != len(names):
        return f"a joint is named twice: {list(names)}"
    return None


def _moving_end(trajectory: Trajectory, rules: AcceptanceRules) -> str | None:
    if rules.allow_nonzero_velocity_at_trajectory_end:
        return None
    for name, velocity in zip(trajectory.joint_names, trajectory.points[-1].velocity, strict=False):
        if abs(velocity) > _ZERO_VELOCITY:
            return f"velocity of the last point is not zero: joint {name} at {velocity}"
    return None


def _ends_in_the_past(trajectory: Trajectory, now: float) -> str | None:
    end = trajectory.start + trajectory.points[-1].time
    if trajectory.start != 0.0 and end < now:
        return f"starts at {trajectory.start:.3f} s and ends in the past, at {end:.3f} s; it is {now:.3f} s"
    return None


def _bad_point(trajectory: Trajectory, index: int) -> str | None:
    point, joints = trajectory.points[index], len(trajectory.joint_names)
    if not np.isfinite(point.time):
        return f"time of point {index} is not finite"
    if index > 0 and point.time <= trajectory.points[index - 1].time:
        before = trajectory.points[index - 1].time
        return f"times are not strictly increasing: point {index - 1} at {before} s, point {index} at {point.time} s"
    fields = (("positions", point.position), ("velocities", point.velocity), ("accelerations", point.acceleration))
    for name, values in fields:
        may_be_left_out = name != "positions"
        if len(values) != joints and not (may_be_left_out and len(values) == 0):
            return f"point {index} has {len(values)} {name} for {joints} joints"
        if not np.isfinite(values).all():
            return f"point {index} has {name} that are not finite"
    if len(point.effort):
        return f"point {index} has effort, and the controller has no effort interface"
    return None


def in_controller_order(trajectory: Trajectory, joint_names: tuple[str, ...], held: Float64Array) -> Trajectory:
    """The same trajectory for all of `joint_names`, in their order; joints it leaves out stay at `held` (joints,)."""
    if trajectory.joint_names == joint_names:
        return trajectory
    columns = [joint_names.index(name) for name in trajectory.joint_names]

    def spread(values: Float64Array, rest: Float64Array) -> Float64Array:
        if len(values) == 0:
            return values
        full = rest.copy()
        full[columns] = values
        return full

    still = np.zeros(len(joint_names))
    points = tuple(
        Waypoint(
            time=point.time,
            position=spread(point.position, held),
            velocity=spread(point.velocity, still),
            acceleration=spread(point.acceleration, still),
        )
        for point in trajectory.points
    )
    return Trajectory(joint_names, points, trajectory.start)
