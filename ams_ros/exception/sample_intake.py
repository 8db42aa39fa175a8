"""Taking samples in: order by name, refusal of what cannot be a reading, estimates of what is not measured."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from ams_ros.exception.refusal import REPEATED, Refusal
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, Float64Array

Values: TypeAlias = "array[float] | Float64Array | Sequence[float]"
"""Numbers as rclpy delivers them, array.array('d'), or of another sequence."""

LARGEST = 1e6
"""No reading in SI units is as large; larger numbers would overflow in the estimates."""

VELOCITY_FILTER = 0.02
"""s, time constant of the low pass on differences of positions: two to five samples of the drivers we know."""

ACCELERATION_FILTER = 0.05
"""s, time constant of the low pass on differences of velocities."""

NEW_CLOCK = 3
"""Samples in a row behind the newest one, each later than the one before it, that prove a clock set back rather than
samples that overtook each other."""


class SampleIntake:
    """Writes each sample into the robot's state, in the profile's order, or says why it cannot be used.

    What a refused sample said leaves no trace in the state. Joints besides the arm's (and the gripper's where the
    driver delivers it) are ignored.
    """

    def __init__(self, robot: WatchedRobot, state: RobotState) -> None:
        """state: of the same arm; written by this object from now on."""
        driver, profile = robot.driver, robot.profile
        self._state = state
        # The state's arrays as plain memory, the quickest way to overwrite them.
        self._position, self._velocity = state.position.data, state.velocity.data
        self._acceleration, self._effort = state.acceleration.data, state.effort.data
        self._velocity_measured, self._effort_measured = driver.velocity, driver.effort
        self._arm_names = profile.joint_names
        self._gripper_name = profile.gripper.joint if driver.gripper_measured else ""
        self._names: Sequence[str] = ()
        self._places: list[int] = []
        self._together: slice | None = None
        self._gripper = -1
        self._zeros = array("d", bytes(8 * len(self._arm_names)))
        self.reset()

    def reset(self) -> None:
        """Forget the clock, the velocities and the wrench's frame; the next sample is a first one."""
        self._clock, self._wrench_clock = _Clock("the joint states'"), _Clock("the wrench's")
        self._frame, self._framed = "", False
        self._state.joint_samples = 0
        self._state.velocity[:] = 0.0
        self._state.acceleration[:] = 0.0

    def joints(  # noqa: PLR0917 - a joint state's fields in a row, as keywords take time on the stop path
        self, names: Sequence[str], position: Values, velocity: Values, effort: Values, stamp: float, arrival: float
    ) -> Refusal | None:
        """Take a joint sample; None when it was taken.

        The arrays are (n,) in the order of names; velocity and effort may be empty where the driver does not promise
        them. stamp: s, robot's clock. arrival: s, steady clock.
        """
        if names != self._names:
            refusal = self._learn(names)
            if refusal is not None:
                return refusal
        refusal = self._check_sizes(position, velocity, effort) or self._check_values(position, velocity, effort)
        if refusal is not None:
            return refusal
        gap = self._clock.gap(stamp)
        if isinstance(gap, Refusal):
            return gap
        state = self._state
        new = self._in_order(position)
        self._estimate(new, velocity, gap)
        self._position[:] = new
        if self._effort_measured:
            self._effort[:] = self._in_order(effort)
        if self._gripper >= 0:
            self._take_gripper(position, effort, gap)
        state.stamp, state.period, state.joints_arrival = stamp, gap, arrival
        state.joint_samples += 1
        return None

    def wrench(
        self, frame: str, force: Sequence[float], torque: Sequence[float], stamp: float, arrival: float
    ) -> Refusal | None:
        """Take a wrench sample, force (3,) N and torque (3,) N m in `frame`; None when it was taken."""
        if len(force) != 3 or len(torque) != 3:
            return Refusal(f"the wrench holds {len(force)} forces and {len(torque)} torques, expected 3 of each")
        fx, fy, fz = force
        tx, ty, tz = torque
        if not math.hypot(fx, fy, fz, tx, ty, tz) < LARGEST:
            refusal = _bad_values("wrench", ("fx", "fy", "fz", "tx", "ty", "tz"), (fx, fy, fz, tx, ty, tz))
            if refusal is not None:
                return refusal
        if frame != self._frame and self._framed:
            return Refusal(f"the wrench came in frame {frame!r}, so far in {self._frame!r}")
        gap = self._wrench_clock.gap(stamp)
        if isinstance(gap, Refusal):
            return gap
        self._frame, self._framed = frame, True
        state = self._state
        state.force[0], state.force[1], state.force[2] = fx, fy, fz
        state.torque[0], state.torque[1], state.torque[2] = tx, ty, tz
        state.frame, state.stamp, state.wrench_arrival = frame, stamp, arrival
        return None

    def _learn(self, names: Sequence[str]) -> Refusal | None:
        """Find the arm's joints among `names`; the order found holds until other names come."""
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            return Refusal(f"joints are named more than once: {', '.join(twice)}")
        watched = (*self._arm_names, self._gripper_name) if self._gripper_name else self._arm_names
        missing = [name for name in watched if name not in names]
        if missing:
            return Refusal(f"joints are missing: {', '.join(missing)}; the sample holds {', '.join(names) or 'none'}")
        places = self._places = [list(names).index(name) for name in self._arm_names]
        together = places == list(range(places[0], places[0] + len(places)))
        self._together = slice(places[0], places[-1] + 1) if together else None
        self._gripper = list(names).index(self._gripper_name) if self._gripper_name else -1
        # The sender's list may change under our hands; a copy of the same type compares quickly with the next one.
        self._names = tuple(names) if isinstance(names, tuple) else list(names)
        return None

    def _check_sizes(self, position: Values, velocity: Values, effort: Values) -> Refusal | None:
        count = len(self._names)
        if len(position) != count:
            return _wrong_size("positions", len(position), count)
        if len(velocity) != count and (self._velocity_measured or len(velocity)):
            return _wrong_size("velocities", len(velocity), count)
        if len(effort) != count and (self._effort_measured or len(effort)):
            return _wrong_size("efforts", len(effort), count)
        return None

    def _check_values(self, position: Values, velocity: Values, effort: Values) -> Refusal | None:
        velocity = velocity if self._velocity_measured else ()
        effort = effort if self._effort_measured else ()
        # One call in C sees NaN, infinity and absurd numbers alike.
        if math.hypot(*position, *velocity, *effort) < LARGEST:
            return None
        return (
            self._bad_watched("position", position)
            or (self._bad_watched("velocity", velocity) if self._velocity_measured else None)
            or (self._bad_watched("effort", effort) if self._effort_measured else None)
        )

    def _bad_watched(self, quantity: str, values: Values) -> Refusal | None:
        """Other joints of the message may hold what they like."""
        names = (*self._arm_names, self._gripper_name) if self._gripper_name else self._arm_names
        return _bad_values(quantity, names, [values[self._names.index(name)] for name in names])

    def _in_order(self, values: Values) -> array[float]:
        """The arm's joints, (dof,)."""
        if type(values) is array and values.typecode == "d":
            if self._together is not None:
                return values[self._together]
            return array("d", [values[place] for place in self._places])
        return array("d", [float(values[place]) for place in self._places])

    def _estimate(self, position: array[float], velocity: Values, gap: float) -> None:
        """Velocity, measured or from the filtered difference of positions, and from it acceleration.

        Plain numbers, as numpy takes longer for so few.
        """
        before = self._state.velocity.tolist()
        if self._velocity_measured:
            new = self._in_order(velocity)
        elif gap <= 0.0:
            new = self._zeros
        else:
            share = gap / (gap + VELOCITY_FILTER) if self._state.joint_samples > 1 else 1.0
            last = self._state.position.tolist()
            new = array("d", [v + share * ((q - p) / gap - v) for q, p, v in zip(position, last, before, strict=True)])
        self._velocity[:] = new
        if gap > 0.0:
            share = gap / (gap + ACCELERATION_FILTER)
            steps = zip(new, before, self._state.acceleration.tolist(), strict=True)
            self._acceleration[:] = array("d", [a + share * ((v - w) / gap - a) for v, w, a in steps])

    def _take_gripper(self, position: Values, effort: Values, gap: float) -> None:
        # Its velocity is always a difference: drivers that measure the arm's fill the fingers' with zeros.
        state, place = self._state, float(position[self._gripper])
        if gap > 0.0:
            speed = (place - state.gripper) / gap
            state.gripper_velocity += (speed - state.gripper_velocity) * gap / (gap + VELOCITY_FILTER)
        else:
            state.gripper_velocity = 0.0
        state.gripper = place
        if self._effort_measured:
            state.gripper_effort = float(effort[self._gripper])


class _Clock:
    """The stamps of one topic."""

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._last = math.nan
        self._behind: list[float] = []

    def gap(self, stamp: float) -> float | Refusal:
        """Seconds since the stamp before, 0 for a first sample; or why the stamp cannot be."""
        gap = stamp - self._last
        if 0.0 < gap < math.inf:
            self._last = stamp
            if self._behind:
                self._behind.clear()
            return gap
        return self._odd(stamp, gap)

    def _odd(self, stamp: float, gap: float) -> float | Refusal:
        if not abs(stamp) < math.inf:
            return Refusal(f"{self._whose} stamp is {stamp}", (Evidence("stamp", stamp, math.inf, "s"),))
        if math.isnan(self._last):
            self._last = stamp
            return 0.0
        if gap == 0.0:
            return REPEATED
        if self._behind and stamp <= self._behind[-1]:
            self._behind.clear()
        self._behind.append(stamp)
        if len(self._behind) > NEW_CLOCK:
            self._behind.clear()
            self._last = stamp
            return 0.0
        return Refusal(f"{self._whose} stamps went back by {-gap:.6g} s", (Evidence("step", gap, 0.0, "s"),), -gap)


def _wrong_size(what: str, size: int, count: int) -> Refusal:
    return Refusal(f"{size} {what} for {count} joints", (Evidence(what, float(size), float(count)),))


def _bad_values(quantity: str, names: Sequence[str], values: Sequence[float]) -> Refusal | None:
    bad = [(name, float(value)) for name, value in zip(names, values, strict=True) if not abs(value) < LARGEST]
    if not bad:
        return None
    shown = ", ".join(f"{name} {value:g}" for name, value in bad)
    return Refusal(
        f"{quantity} is no reading: {shown}", tuple(Evidence(f"{quantity} {name}", v, LARGEST) for name, v in bad)
    )
