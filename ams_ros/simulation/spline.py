"""Motion between waypoints: linear, cubic or quintic, by what the two ends of a segment carry."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from ams_ros.simulation.trajectory import Waypoint
from ams_ros.types import Float64Array

_DIGITS = 9
"""Times are rounded to nanoseconds after the start is subtracted, so that a motion is the same whenever it starts."""


@dataclass(frozen=True, slots=True, eq=False)
class MotionState:
    """Where a motion is at one moment: (joints,) arrays, rad, rad/s, rad/s^2."""

    position: Float64Array
    velocity: Float64Array
    acceleration: Float64Array


class WaypointPath:
    """A motion that starts at a state and passes the waypoints on time.

    `end` is when the last waypoint is due, on the clock of `begin`.
    """

    def __init__(self, begin: float, state: MotionState, start: float, points: tuple[Waypoint, ...]) -> None:
        """Lead from `state` at time `begin` through `points`, whose times count from `start`.

        A first point that is due before `begin` is skipped, as are the parts of a trajectory that began in the past.
        """
        first = points[0]
        origin = Waypoint(
            time=begin - start,
            position=state.position,
            velocity=state.velocity,
            acceleration=np.zeros_like(state.position) if len(first.acceleration) else first.acceleration,
        )
        self._points = (origin, *points)
        self._begin = begin
        self._knots = [0.0, *(round(start + point.time - begin, _DIGITS) for point in points)]
        self._coefficients: list[Float64Array | None] = [None] * len(points)
        self.end = begin + self._knots[-1]

    def at(self, time: float) -> MotionState:
        """The motion at `time`; after the end it rests at the last waypoint."""
        elapsed = round(time - self._begin, _DIGITS)
        segment = bisect_right(self._knots, elapsed, lo=1) - 1
        if segment == len(self._coefficients):
            return self._resting()
        coefficients = self._coefficients[segment]
        if coefficients is None:
            coefficients = _coefficients(
                self._points[segment], self._points[segment + 1], self._knots[segment + 1] - self._knots[segment]
            )
            self._coefficients[segment] = coefficients
        t = elapsed - self._knots[segment]
        t2, t3, t4 = t * t, t**3, t**4
        rows = np.array(
            (
                (1.0, t, t2, t3, t4, t4 * t),
                (0.0, 1.0, 2.0 * t, 3.0 * t2, 4.0 * t3, 5.0 * t4),
                (0.0, 0.0, 2.0, 6.0 * t, 12.0 * t2, 20.0 * t3),
            )
        )
        position, velocity, acceleration = rows[:, : len(coefficients)] @ coefficients
        return MotionState(position, velocity, acceleration)

    def _resting(self) -> MotionState:
        last = self._points[-1]
        still = np.zeros_like(last.position)
        return MotionState(
            last.position,
            last.velocity if len(last.velocity) else still,
            last.acceleration if len(last.acceleration) else still,
        )


def _coefficients(a: Waypoint, b: Waypoint, duration: float) -> Float64Array:
    """Polynomial coefficients of one segment, (2, 4 or 6, joints), lowest power first.

    A point with accelerations but no velocities does not determine a quintic; its segment is linear.
    """
    travel = b.position - a.position
    if not (len(a.velocity) and len(b.velocity)):
        return np.stack((a.position, travel / duration))
    if not (len(a.acceleration) and len(b.acceleration)):
        return np.stack(
            (
                a.position,
                a.velocity,
                (3.0 * travel / duration - 2.0 * a.velocity - b.velocity) / duration,
                (a.velocity + b.velocity - 2.0 * travel / duration) / duration**2,
            )
        )
    # What is left to reach once the start state is extrapolated; in units of the segment's duration.
    distance = travel - a.velocity * duration - 0.5 * a.acceleration * duration**2
    speed = (b.velocity - a.velocity - a.acceleration * duration) * duration
    bend = (b.acceleration - a.acceleration) * duration**2
    return np.stack(
        (
            a.position,
            a.velocity,
            0.5 * a.acceleration,
            (10.0 * distance - 4.0 * speed + 0.5 * bend) / duration**3,
            (-15.0 * distance + 7.0 * speed - bend) / duration**4,
            (6.0 * distance - 3.0 * speed + 0.5 * bend) / duration**5,
        )
    )


class Deceleration:
    """A stop at constant deceleration, each joint by its own limit; `end` is when the slowest has stopped."""

    def __init__(self, begin: float, position: Float64Array, velocity: Float64Array, limit: Float64Array) -> None:
        """Start at `position` with `velocity` at time `begin`; limit: (joints,) rad/s^2, above 0."""
        self._begin, self._position, self._velocity = begin, position, velocity
        self._deceleration = np.sign(velocity) * limit
        self._duration = np.abs(velocity) / limit
        self.end = begin + float(self._duration.max())

    def at(self, time: float) -> MotionState:
        """The motion at `time`; a joint that has stopped stays."""
        elapsed = round(time - self._begin, _DIGITS)
        t = np.clip(elapsed, 0.0, self._duration)
        moving = elapsed < self._duration
        return MotionState(
            self._position + self._velocity * t - 0.5 * self._deceleration * t * t,
            np.where(moving, self._velocity - self._deceleration * t, 0.0),
            np.where(moving, -self._deceleration, 0.0),
        )
