"""Sensors that fall silent, or go on saying what they said while the arm should move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.exception.rule import Rule, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, ExceptionKind, Severity

_SMOOTHING = 0.05
"""Share of the newest gap between arrivals in the measured period: about the last twenty count."""

_SLOWEST = 10.0
"""Periods of the driver file a measured one may be long; gaps that grow little by little never pass for a rate."""


@dataclass(frozen=True, slots=True)
class SilenceSettings:
    """Thresholds of silence."""

    periods: float = limit(10.0, "", 2.0, 1000.0, "measured periods a sensor may be silent")
    shortest: float = limit(
        0.2, "s", 0.005, 10.0, "a silence up to this long never counts; a busy desktop kernel keeps a process waiting"
    )
    frozen: float = limit(0.2, "s", 0.02, 10.0, "positions may stay the same to the last bit while the plan moves on")
    frozen_motion: float = limit(
        0.08, "rad", 0.001, 3.0, "by which the plan must have moved on meanwhile; more than a servo's dead band"
    )
    frozen_speed: float = limit(0.1, "rad/s", 0.01, 3.0, "a joint this fast cannot stay in the same place")
    frozen_travel: float = limit(
        0.02, "rad", 0.001, 3.0, "by which it would have moved while its position stayed the same; some encoder steps"
    )

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        check_limits(self, "silence")


class Silence(Rule):
    """An arm that is not seen may not move."""

    name = "silence"
    kind = ExceptionKind.CRASH
    severity = Severity.SERIOUS
    always = True
    Settings = SilenceSettings

    def __init__(self, settings: SilenceSettings, robot: WatchedRobot) -> None:
        """Nothing has arrived yet; until enough has, the driver's rates count."""
        super().__init__(settings, robot)
        driver = robot.driver
        self._joints = _Stream("joint states", 1.0 / driver.joint_states.rate)
        self._wrench = None if driver.wrench is None else _Stream("wrenches", 1.0 / driver.wrench.rate)
        self._velocity, self._effort = driver.velocity, driver.effort
        self._position = b""
        self._rest: bytes | None = None
        self._frozen_since, self._frozen_speed = 0.0, 0.0
        self._frozen_reference = np.zeros(len(robot.profile.joints))
        self._travel = np.zeros(len(robot.profile.joints))
        self._ticked = -np.inf
        self._excused = False

    def begin(self, state: RobotState) -> None:
        """What stood still before this plan says nothing about it."""
        self._position = b""

    def reset(self) -> None:
        """Positions count from the next sample on; arrivals go on as they did."""
        self._position, self.margin = b"", 0.0

    def joints(self, state: RobotState) -> Violation | None:
        """Measure the rate and look for positions that never change."""
        self._joints.arrived(state.joints_arrival, self._longest(self._joints))
        return self._frozen(state)

    def wrench(self, state: RobotState) -> Violation | None:
        """Measure the rate."""
        if self._wrench is not None:
            self._wrench.arrived(state.wrench_arrival, self._longest(self._wrench))
        return None

    def tick(self, state: RobotState, now: float) -> Violation | None:
        """Look how long ago the newest samples arrived."""
        away, self._ticked = now - self._ticked, now
        streams = (self._joints,) if self._wrench is None else (self._joints, self._wrench)
        waited = [(stream, stream.silent(now), self._longest(stream)) for stream in streams]
        self.margin = max(silent / longest for _, silent, longest in waited) / state.caution
        if self.margin <= 1.0:
            self._excused = False
            return None
        if away > self.settings.shortest / 2 and not self._excused:
            # It was this process that was kept waiting; what has arrived meanwhile is taken in before the next tick.
            self._excused = True
            return None
        stream, silent, longest = max(waited, key=lambda each: each[1] / each[2])
        return self.violation(
            state,
            f"no new {stream.what} for {silent:.3f} s; they came every {stream.period * 1e3:.1f} ms",
            Evidence(f"silence of {stream.what}", silent, longest * state.caution, "s"),
        )

    def _longest(self, stream: _Stream) -> float:
        settings: SilenceSettings = self.settings
        return max(settings.shortest, settings.periods * stream.period)

    def _frozen(self, state: RobotState) -> Violation | None:
        if not self._unchanged(state):
            return None
        frozen, settings, caution = state.stamp - self._frozen_since, self.settings, state.caution
        if self._frozen_speed > settings.frozen_speed * caution:
            travel = self._frozen_speed * frozen
            if travel > settings.frozen_travel * caution:
                return self._tell_frozen(state, "a joint moved", travel, settings.frozen_travel * caution)
        if state.plan is not None and frozen > settings.frozen * caution:
            np.subtract(state.reference, self._frozen_reference, out=self._travel)
            travel = float(np.abs(self._travel).max())
            if travel > settings.frozen_motion * caution:
                return self._tell_frozen(state, "the plan moved on", travel, settings.frozen_motion * caution)
        return None

    def _tell_frozen(self, state: RobotState, what: str, travel: float, limit_now: float) -> Violation:
        frozen = state.stamp - self._frozen_since
        return self.violation(
            state,
            f"the joint states have not changed at all for {frozen:.3f} s, in which {what} by {travel:.3f} rad",
            Evidence("motion that should show", travel, limit_now, "rad"),
        )

    def _unchanged(self, state: RobotState) -> bool:
        """Whether the sample is the one before to the last bit; notes what should move from then on."""
        position = state.position.tobytes()
        if position != self._position:
            self._position, self._rest, self._frozen_since = position, None, state.stamp
            return False
        rest = (state.velocity.tobytes() if self._velocity else b"") + (state.effort.tobytes() if self._effort else b"")
        if self._rest is None:
            velocity = state.velocity.tolist()
            self._rest, self._frozen_speed = rest, max(*velocity, -min(velocity))
            self._frozen_reference[:] = state.reference
        elif rest != self._rest:
            self._rest, self._frozen_since = None, state.stamp
            return False
        return True


class _Stream:
    """When the samples of one topic arrive."""

    def __init__(self, what: str, period: float) -> None:
        self.what, self.period = what, period
        self._slowest = _SLOWEST * period
        self._last = -np.inf

    def arrived(self, arrival: float, longest: float) -> None:
        """A gap too long to be a rate does not count as one."""
        gap = arrival - self._last
        self._last = arrival
        if 0.0 <= gap <= longest:
            self.period = min(self.period + _SMOOTHING * (gap - self.period), self._slowest)

    def silent(self, now: float) -> float:
        """Seconds since the newest sample; before the first one, since it was first asked."""
        if self._last == -np.inf:
            self._last = now
        return now - self._last
