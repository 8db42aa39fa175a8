"""A gripper controller without ROS: drives the fingers to a position and tells whether they got there or stalled.

Semantics after gripper_controllers' GripperActionController (ros2_controllers jazzy@ed360c97), except that a
replaced goal is aborted, so that its client hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.simulation.trajectory_controller import TICK, GoalStatus


@dataclass(frozen=True, slots=True)
class GripperSettings:
    """Parameters. lower, upper: m, finger positions that may be asked for.

    goal_tolerance: m. stall_velocity_threshold: m/s. stall_timeout: s below that speed that mean stalled.
    allow_stalling: whether a stall counts as success; it does where grasping is the point.
    """

    joint: str
    lower: float
    upper: float
    goal_tolerance: float = 0.001
    stall_velocity_threshold: float = 0.001
    stall_timeout: float = 0.3
    allow_stalling: bool = True
    action_monitor_rate: float = 20.0

    def __post_init__(self) -> None:
        """Refuse numbers that would make every goal end at once or never."""
        for key in ("goal_tolerance", "stall_velocity_threshold", "stall_timeout", "action_monitor_rate"):
            value = getattr(self, key)
            if not value > 0.0:
                raise ConfigurationError(f"gripper.{key}", value, "a number above 0")


@dataclass(frozen=True, slots=True)
class GripperReport:
    """Where a gripper goal stands, or how it ended when `status` is given. position: m; effort: N."""

    goal: int
    position: float
    effort: float
    stalled: bool
    reached_goal: bool
    status: GoalStatus | None = None


class GripperController:
    """Follows one gripper goal at a time; after it the fingers keep pressing towards the last target."""

    def __init__(self, settings: GripperSettings) -> None:
        """Start without a goal; nothing is commanded until one comes."""
        self.settings = settings
        self.active = True
        """Whether it takes goals."""
        self._goals_accepted = 0
        self._goal: int | None = None
        self._target = 0.0
        self._pending: float | None = None
        self._hold_wanted = False
        self._moved_at: float | None = None
        self._latest = (0.0, 0.0)
        self._reports: list[GripperReport] = []
        self._next_feedback = 0.0

    def reason_to_reject(self, position: float) -> str | None:
        """Why a goal for this finger position (m) is to be rejected, or None."""
        if not self.active:
            return "the controller is not active"
        lower, upper = self.settings.lower, self.settings.upper
        if np.isfinite(position) and lower - 1e-4 <= position <= upper + 1e-4:
            return None
        return f"finger position {position} m is outside {lower} (closed) .. {upper} (open) m"

    @property
    def idle(self) -> bool:
        """Whether the next update has nothing to do."""
        return self._goal is None and self._pending is None and not self._hold_wanted and not self._reports

    def accept(self, position: float, now: float) -> int:
        """Take a goal that `reason_to_reject` found sound; it replaces a running one. Returns the goal's number."""
        self.abort()
        self._goals_accepted += 1
        self._goal = self._goals_accepted
        self._target = self._pending = float(np.clip(position, self.settings.lower, self.settings.upper))
        self._hold_wanted, self._moved_at = False, None
        self._next_feedback = now + 1.0 / self.settings.action_monitor_rate
        return self._goal

    def cancel(self, goal: int) -> None:
        """Hold the measured finger position if `goal` is the one under execution."""
        if self._goal == goal:
            self._end(GoalStatus.CANCELED)
            self._pending, self._hold_wanted = None, True

    def abort(self) -> None:
        """End a running goal without success; the fingers keep their command."""
        if self._goal is not None:
            self._end(GoalStatus.ABORTED)
        self._pending, self._hold_wanted = None, False

    def stop(self) -> None:
        """End a running goal without success and hold the measured finger position."""
        if self._goal is not None:
            self.abort()
            self._hold_wanted = True

    def update(self, now: float, position: float, velocity: float, effort: float) -> float | None:
        """The finger command (m) for the coming period, or None to keep the last; takes what was measured at `now`."""
        self._latest = (position, effort)
        if self._hold_wanted:
            self._hold_wanted = False
            return position
        if self._goal is not None:
            self._judge(now, position, velocity)
        command, self._pending = self._pending, None
        return command

    def monitor(self, now: float) -> tuple[GripperReport, ...]:
        """What clients are to be told: ends at once, feedback on a running goal at `action_monitor_rate`."""
        reports, self._reports = tuple(self._reports), []
        if self._goal is None or now < self._next_feedback - TICK:
            return reports
        self._next_feedback = max(self._next_feedback + 1.0 / self.settings.action_monitor_rate, now)
        return (*reports, GripperReport(self._goal, *self._latest, stalled=False, reached_goal=False))

    def _judge(self, now: float, position: float, velocity: float) -> None:
        settings = self.settings
        if abs(self._target - position) < settings.goal_tolerance:
            self._end(GoalStatus.SUCCEEDED, reached_goal=True)
        elif self._moved_at is None or abs(velocity) > settings.stall_velocity_threshold:
            self._moved_at = now
        elif now - self._moved_at > settings.stall_timeout:
            status = GoalStatus.SUCCEEDED if settings.allow_stalling else GoalStatus.ABORTED
            self._end(status, stalled=True)

    def _end(self, status: GoalStatus, *, stalled: bool = False, reached_goal: bool = False) -> None:
        assert self._goal is not None
        self._reports.append(GripperReport(self._goal, *self._latest, stalled, reached_goal, status))
        self._goal = None
