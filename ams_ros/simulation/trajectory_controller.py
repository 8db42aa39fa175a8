"""A joint trajectory controller without ROS: what joint_trajectory_controller does between two updates.

Semantics after ros2_controllers jazzy@ed360c97 (4.42.1) with a position command interface and position and velocity
state interfaces. It owns no clock and no thread: whoever drives it says what time it is and what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum

import numpy as np

from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.simulation.spline import Deceleration, MotionState, WaypointPath
from ams_ros.simulation.tolerances import ToleranceRequest, Tolerances, default_tolerances, resolve
from ams_ros.simulation.trajectory import AcceptanceRules, Trajectory, in_controller_order, reason_to_reject
from ams_ros.types import Float64Array, JointSample

TICK = 1e-9
"""Moments closer than this (s) are the same moment; the clock is a sum of time steps."""


class ErrorCode(IntEnum):
    """control_msgs/FollowJointTrajectory result codes that a running controller gives."""

    SUCCESSFUL = 0
    INVALID_GOAL = -1
    PATH_TOLERANCE_VIOLATED = -4
    GOAL_TOLERANCE_VIOLATED = -5


class GoalStatus(Enum):
    """How a goal ended."""

    SUCCEEDED = "succeeded"
    ABORTED = "aborted"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class GoalEnd:
    """The end of one goal: `goal` is the number `accept` gave it."""

    goal: int
    status: GoalStatus
    error_code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Feedback:
    """Where the running goal stands. stamp: s on the controller's clock; error: desired minus actual, (joints,) rad.

    time_from_start: seconds since the trajectory's start. actual_velocity: None where it is not measured.
    """

    goal: int
    stamp: float
    time_from_start: float
    desired: MotionState
    actual_position: Float64Array
    actual_velocity: Float64Array | None
    error: Float64Array


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """Parameters of the controller, named and preset as in joint_trajectory_controller.

    update_period: s between two updates. action_monitor_rate: Hz at which feedback and results go out.
    path_tolerance, goal_tolerance: per joint rad, 0 or empty for not enforced (constraints.<joint>.trajectory, .goal).
    stopped_velocity_tolerance: rad/s; as in the original it is compared only with `velocity_command_interface`.
    goal_time: s past the trajectory's end to reach the goal tolerance, 0 for any time.
    max_deceleration_on_cancel: per joint rad/s^2; empty stops at once (constraints.decelerate_on_cancel false).
    interpolate_from_desired_state: start from the last command instead of the measured state.
    """

    joint_names: tuple[str, ...]
    update_period: float = 0.01
    action_monitor_rate: float = 20.0
    allow_partial_joints_goal: bool = False
    allow_nonzero_velocity_at_trajectory_end: bool = False
    interpolate_from_desired_state: bool = False
    velocity_command_interface: bool = False
    path_tolerance: tuple[float, ...] = ()
    goal_tolerance: tuple[float, ...] = ()
    stopped_velocity_tolerance: float = 0.01
    goal_time: float = 0.0
    max_deceleration_on_cancel: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings that do not fit the joints."""
        joints = len(self.joint_names)
        per_joint: tuple[tuple[str, Sequence[float]], ...] = (
            ("constraints.path_tolerance", self.path_tolerance),
            ("constraints.goal_tolerance", self.goal_tolerance),
            ("constraints.max_deceleration_on_cancel", self.max_deceleration_on_cancel),
        )
        for key, values in per_joint:
            if len(values) not in (0, joints) or any(not value >= 0.0 for value in values):
                raise ConfigurationError(key, values, f"nothing, or {joints} numbers of at least 0")
        if any(value == 0.0 for value in self.max_deceleration_on_cancel):
            raise ConfigurationError(
                "constraints.max_deceleration_on_cancel", self.max_deceleration_on_cancel, "every number above 0"
            )
        positive = (("update_period", self.update_period), ("action_monitor_rate", self.action_monitor_rate))
        for key, number in positive:
            if not number > 0.0:
                raise ConfigurationError(key, number, "a number above 0")
        for key, number in (("goal_time", self.goal_time), ("stopped_velocity", self.stopped_velocity_tolerance)):
            if not number >= 0.0:
                raise ConfigurationError(f"constraints.{key}", number, "a number of at least 0")


@dataclass(slots=True)
class _Goal:
    """The goal under execution. begun: whether an update has seen it."""

    number: int
    trajectory: Trajectory
    tolerances: Tolerances
    start: float = 0.0
    begun: bool = False
    feedback: Feedback | None = field(default=None)


class TrajectoryController:
    """Follows one trajectory at a time and holds still between them."""

    def __init__(self, settings: ControllerSettings) -> None:
        """Start inactive."""
        self.settings = settings
        self.rules = AcceptanceRules(
            settings.joint_names,
            settings.allow_partial_joints_goal,
            settings.allow_nonzero_velocity_at_trajectory_end,
        )
        self._defaults = default_tolerances(
            len(settings.joint_names),
            settings.path_tolerance,
            settings.goal_tolerance,
            settings.stopped_velocity_tolerance,
            settings.goal_time,
        )
        self._deceleration = np.asarray(settings.max_deceleration_on_cancel, dtype=np.float64)
        self._goals_accepted = 0
        self._next_monitor = 0.0
        self._forget()
        self._command: Float64Array | None = None

    def _forget(self) -> None:
        self._goal: _Goal | None = None
        self._path: WaypointPath | Deceleration | None = None
        self._stop_wanted = False
        self._ended: list[GoalEnd] = []
        self._urgent: list[GoalEnd] = []

    def activate(self, command: Float64Array) -> None:
        """Begin to hold `command` (joints,) rad, which is what the servos hold already."""
        self._forget()
        self._command = command.copy()

    def deactivate(self, reason: str) -> tuple[GoalEnd, ...]:
        """Stop taking goals; a running one is aborted for `reason`. Returns the ends not yet told by `monitor`."""
        self._end(ErrorCode.INVALID_GOAL, GoalStatus.ABORTED, reason)
        ends = (*self._urgent, *self._ended)
        self._forget()
        self._command = None
        return ends

    @property
    def active(self) -> bool:
        """Whether it takes goals."""
        return self._command is not None

    @property
    def goal(self) -> int | None:
        """Number of the goal under execution."""
        return None if self._goal is None else self._goal.number

    @property
    def idle(self) -> bool:
        """Whether the next update has nothing to do and `monitor` nothing to tell."""
        return not (
            self._goal is not None or self._path is not None or self._stop_wanted or self._ended or self._urgent
        )

    def reason_to_reject(self, trajectory: Trajectory, now: float) -> str | None:
        """Why a goal with this trajectory is to be rejected, or None."""
        if not self.active:
            return "the controller is not active"
        return reason_to_reject(trajectory, self.rules, now)

    def accept(self, trajectory: Trajectory, tolerances: ToleranceRequest, now: float) -> tuple[int, str | None]:
        """Take a goal that `reason_to_reject` found sound; it begins at the next update and replaces a running one.

        Returns the goal's number, and a complaint when its tolerances could not be used. Raises RobotError when
        inactive.
        """
        if self._command is None:
            raise RobotError("the controller is not active")
        self._end(ErrorCode.INVALID_GOAL, GoalStatus.ABORTED, "Goal preempted by a new goal.")
        self._urgent += self._ended
        self._ended = []
        self._goals_accepted += 1
        resolved, complaint = resolve(self._defaults, tolerances, self.settings.joint_names)
        ordered = in_controller_order(trajectory, self.settings.joint_names, self._command)
        self._goal = _Goal(self._goals_accepted, ordered, resolved)
        self._stop_wanted = False
        self._next_monitor = now + 1.0 / self.settings.action_monitor_rate
        return self._goals_accepted, complaint

    def cancel(self, goal: int) -> None:
        """Stop at the next update if `goal` is the one under execution; the result follows at the monitor's rate."""
        if self._goal is not None and self._goal.number == goal:
            self._end(ErrorCode.SUCCESSFUL, GoalStatus.CANCELED, "")
            self._stop_wanted = True

    def stop(self, reason: str) -> None:
        """Abort a running goal for `reason` and hold still from the next update on; goals are taken as before."""
        if self._command is not None:
            self._end(ErrorCode.INVALID_GOAL, GoalStatus.ABORTED, reason)
            self._stop_wanted = True

    def monitor(self, now: float) -> tuple[Feedback | None, tuple[GoalEnd, ...]]:
        """What clients are to be told now; mostly nothing, as feedback and results go out at `action_monitor_rate`."""
        ends = tuple(self._urgent)
        self._urgent = []
        if now < self._next_monitor - TICK:
            return None, ends
        period = 1.0 / self.settings.action_monitor_rate
        self._next_monitor = max(self._next_monitor + period, now)
        ends += tuple(self._ended)
        self._ended = []
        return None if self._goal is None else self._goal.feedback, ends

    def update(self, now: float, measured: JointSample) -> Float64Array | None:
        """The position command for the coming period, (joints,) rad, or None when the servos keep what they hold.

        measured: the controller's joints first, in its order.
        """
        if self._stop_wanted:
            self._stop_wanted = False
            return self._stop(now, measured)
        if self._goal is not None and not self._goal.begun:
            return self._follow(self._begin(self._goal, now, measured), self._goal, now, measured, first=True)
        if self._goal is not None and isinstance(self._path, WaypointPath):
            return self._follow(self._path, self._goal, now, measured, first=False)
        return self._slow_down(now)

    def _begin(self, goal: _Goal, now: float, measured: JointSample) -> WaypointPath:
        goal.begun = True
        goal.start = goal.trajectory.start if goal.trajectory.start != 0.0 else now
        path = WaypointPath(now, self._initial_state(measured), goal.start, goal.trajectory.points)
        self._path = path
        return path

    def _initial_state(self, measured: JointSample) -> MotionState:
        joints = len(self.settings.joint_names)
        still = np.zeros(joints)
        if self.settings.interpolate_from_desired_state and self._command is not None:
            return MotionState(self._command, still, still)
        velocity = still if measured.velocity is None else measured.velocity[:joints]
        return MotionState(measured.position[:joints], velocity, still)

    def _follow(
        self, path: WaypointPath, goal: _Goal, now: float, measured: JointSample, *, first: bool
    ) -> Float64Array | None:
        joints = len(self.settings.joint_names)
        desired = path.at(now)
        actual = measured.position[:joints]
        speed = None if measured.velocity is None else measured.velocity[:joints]
        error = desired.position - actual
        compared = speed is not None and self.settings.velocity_command_interface
        velocity_error = desired.velocity - speed if speed is not None and compared else None
        goal.feedback = Feedback(goal.number, now, now - goal.start, desired, actual, speed, error)

        at_end = now + self.settings.update_period >= path.end - TICK
        if first or not at_end:
            joint = goal.tolerances.path.violated(error, velocity_error)
            if joint is not None:
                return self._abort(
                    ErrorCode.PATH_TOLERANCE_VIOLATED, self._miss("path", joint, error, desired), now, measured
                )
        if at_end:
            joint = goal.tolerances.goal.violated(error, velocity_error)
            late = now - path.end
            if joint is None:
                self._end(ErrorCode.SUCCESSFUL, GoalStatus.SUCCEEDED, "Goal reached.")
                self._path = None
            elif 0.0 < goal.tolerances.goal_time < late:
                reason = f"{self._miss('goal', joint, error, desired)}, {late:.3f} s after the trajectory's end"
                return self._abort(ErrorCode.GOAL_TOLERANCE_VIOLATED, reason, now, measured)
        self._command = path.at(now + self.settings.update_period).position
        return self._command

    def _miss(self, kind: str, joint: int, error: Float64Array, desired: MotionState) -> str:
        name = self.settings.joint_names[joint]
        return (
            f"Aborted due to {kind} tolerance violation: joint {name} is off by {error[joint]:+.4f} "
            f"from {desired.position[joint]:.4f} rad"
        )

    def _abort(self, code: ErrorCode, reason: str, now: float, measured: JointSample) -> Float64Array | None:
        self._end(code, GoalStatus.ABORTED, reason)
        return self._stop(now, measured)

    def _stop(self, now: float, measured: JointSample) -> Float64Array | None:
        joints = len(self.settings.joint_names)
        if len(self._deceleration) and measured.velocity is not None:
            position, velocity = measured.position[:joints], measured.velocity[:joints]
            self._path = Deceleration(now, position, velocity, self._deceleration)
            return self._slow_down(now)
        self._path = None
        self._command = measured.position[:joints].copy()
        return self._command

    def _slow_down(self, now: float) -> Float64Array | None:
        if self._path is None:
            return None
        after = now + self.settings.update_period
        self._command = self._path.at(after).position
        if after >= self._path.end - TICK:
            self._path = None
        return self._command

    def _end(self, code: ErrorCode, status: GoalStatus, message: str) -> None:
        if self._goal is None:
            return
        end = GoalEnd(self._goal.number, status, code, message)
        preempted = code is ErrorCode.INVALID_GOAL
        (self._urgent if preempted else self._ended).append(end)
        self._goal = None
