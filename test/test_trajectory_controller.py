"""The trajectory controller follows, refuses, replaces, stops and judges as joint_trajectory_controller does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.simulation.spline import Deceleration, MotionState, WaypointPath
from ams_ros.simulation.tolerances import JointTolerance, ToleranceRequest
from ams_ros.simulation.trajectory import Trajectory, Waypoint
from ams_ros.simulation.trajectory_controller import (
    ControllerSettings,
    ErrorCode,
    GoalEnd,
    GoalStatus,
    TrajectoryController,
)
from ams_ros.types import JointSample

JOINTS = ("a", "b")
PERIOD = 0.01


class Arm:
    """A controller on joints that are exactly where they were commanded, unless `stuck` or `lag` says otherwise."""

    def __init__(self, **changes) -> None:
        self.controller = TrajectoryController(ControllerSettings(JOINTS, **changes))
        self.position = np.zeros(2)
        self.velocity = np.zeros(2)
        self.stuck = False
        self.now = 100.0
        self.commands: list[np.ndarray] = []
        self.feedback = []
        self.ends: list[GoalEnd] = []
        self.controller.activate(self.position)

    def send(self, trajectory: Trajectory, **tolerances) -> int:
        assert self.controller.reason_to_reject(trajectory, self.now) is None
        return self.controller.accept(trajectory, ToleranceRequest(**tolerances), self.now)[0]

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD)):
            sample = JointSample(self.now, JOINTS, self.position.copy(), self.velocity.copy())
            command = self.controller.update(self.now, sample)
            if command is not None:
                self.commands.append(command.copy())
            before = self.position
            if command is not None and not self.stuck:
                self.position = command.copy()
            self.velocity = (self.position - before) / PERIOD
            self.now += PERIOD
            feedback, ends = self.controller.monitor(self.now)
            self.feedback += [feedback] if feedback is not None else []
            self.ends += ends


def line(*targets: tuple[float, float], step: float = 0.1, start: float = 0.0, names=JOINTS) -> Trajectory:
    points = tuple(Waypoint((k + 1) * step, np.array(target, dtype=float)) for k, target in enumerate(targets))
    return Trajectory(names, points, start)


def point(time: float, position=(0.1, 0.1), **more) -> Waypoint:
    return Waypoint(time, np.array(position, dtype=float), **{key: np.array(value) for key, value in more.items()})


def refusal(trajectory: Trajectory, now: float = 100.0, **changes) -> str:
    reason = Arm(**changes).controller.reason_to_reject(trajectory, now)
    assert reason is not None
    return reason


# Refusing.


def test_an_inactive_controller_takes_no_goal():
    arm = Arm()
    arm.controller.deactivate("over")
    assert "not active" in arm.controller.reason_to_reject(line((0.1, 0.1)), 100.0)
    with pytest.raises(RobotError, match="not active"):
        arm.controller.accept(line((0.1, 0.1)), ToleranceRequest(), 100.0)


def test_a_trajectory_for_other_joints_is_refused_naming_them():
    assert "['x'] are not among" in refusal(line((0.1, 0.1), names=("a", "x")))
    assert "do not match" in refusal(Trajectory(("a",), (point(0.1, (0.1,)),)))
    assert "named twice" in refusal(line((0.1, 0.1), names=("a", "a")))
    assert "no joint names" in refusal(Trajectory((), (point(0.1, ()),)), allow_partial_joints_goal=True)


def test_a_trajectory_without_points_is_refused():
    assert refusal(Trajectory(JOINTS, ())) == "no points"


def test_a_trajectory_that_ends_moving_is_refused_unless_that_is_allowed():
    moving = Trajectory(JOINTS, (point(0.1, velocity=(0.0, 0.2)),))
    assert "velocity of the last point" in refusal(moving)
    assert Arm(allow_nonzero_velocity_at_trajectory_end=True).controller.reason_to_reject(moving, 100.0) is None


def test_a_trajectory_that_is_over_already_is_refused_and_one_that_has_just_begun_is_not():
    assert "ends in the past" in refusal(line((0.1, 0.1), start=99.0))
    assert Arm().controller.reason_to_reject(line((0.1, 0.1), start=99.95), 100.0) is None


@pytest.mark.parametrize("times", [(0.2, 0.2), (0.2, 0.1)])
def test_times_must_be_strictly_increasing(times):
    assert "strictly increasing" in refusal(Trajectory(JOINTS, tuple(point(time) for time in times)))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (point(0.1, (0.1,)), "1 positions for 2 joints"),
        (point(0.1, ()), "0 positions for 2 joints"),
        (point(0.1, velocity=(0.0,)), "1 velocities for 2 joints"),
        (point(0.1, acceleration=(0.0, 0.0, 0.0)), "3 accelerations for 2 joints"),
        (point(0.1, effort=(1.0, 1.0)), "no effort interface"),
        (point(0.1, (0.1, np.nan)), "not finite"),
        (point(np.inf), "not finite"),
    ],
)
def test_a_point_whose_parts_do_not_fit_is_refused(bad, reason):
    assert reason in refusal(Trajectory(JOINTS, (bad,)))


def test_settings_that_do_not_fit_the_joints_name_the_key():
    with pytest.raises(ConfigurationError, match="max_deceleration_on_cancel"):
        ControllerSettings(JOINTS, max_deceleration_on_cancel=(1.0,))
    with pytest.raises(ConfigurationError, match="action_monitor_rate"):
        ControllerSettings(JOINTS, action_monitor_rate=0.0)


# Following.


def test_the_goal_is_reached_on_time_and_told_at_the_monitor_rate():
    arm = Arm()
    goal = arm.send(line((0.1, -0.2), (0.3, 0.0)))
    arm.run(0.15)
    assert arm.position == pytest.approx([0.2, -0.1])
    arm.run(0.05)
    assert arm.position == pytest.approx([0.3, 0.0])
    assert arm.ends == [GoalEnd(goal, GoalStatus.SUCCEEDED, ErrorCode.SUCCESSFUL, "Goal reached.")]
    assert arm.now == pytest.approx(100.2)
    assert arm.controller.idle


def test_nothing_is_commanded_between_goals():
    arm = Arm()
    arm.run(0.1)
    assert arm.commands == []
    arm.send(line((0.1, 0.1)))
    arm.run(0.2)
    count = len(arm.commands)
    arm.run(0.2)
    assert len(arm.commands) == count


def test_joints_in_another_order_are_sorted_by_name():
    arm = Arm()
    arm.send(line((0.5, -0.5), names=("b", "a")))
    arm.run(0.2)
    assert arm.position == pytest.approx([-0.5, 0.5])


def test_joints_a_partial_goal_leaves_out_keep_their_command():
    arm = Arm(allow_partial_joints_goal=True)
    arm.send(line((0.2, 0.3)))
    arm.run(0.2)
    arm.send(Trajectory(("b",), (point(0.1, (-0.3,)),)))
    arm.run(0.2)
    assert arm.position == pytest.approx([0.2, -0.3])


def test_a_motion_starts_from_the_measured_state_or_where_asked_from_the_last_command():
    for from_command, first in ((False, 0.05 + 0.1 * 0.95), (True, 0.1)):
        arm = Arm(interpolate_from_desired_state=from_command)
        arm.position = np.array([0.05, 0.05])
        arm.send(line((1.0, 1.0)))
        arm.run(PERIOD)
        assert arm.commands[0][0] == pytest.approx(first)


def test_a_goal_that_starts_later_moves_towards_its_first_point_from_now_on():
    arm = Arm()
    arm.send(line((0.2, 0.2), start=100.1))
    arm.run(0.1)
    assert arm.position == pytest.approx([0.1, 0.1])
    arm.run(0.1)
    assert arm.position == pytest.approx([0.2, 0.2])


def test_a_goal_that_began_in_the_past_is_joined_where_it_is():
    arm = Arm()
    arm.send(line((0.1, 0.1), (0.2, 0.2), (0.3, 0.3), start=99.85))
    arm.run(PERIOD)
    assert arm.commands[0] == pytest.approx([0.16, 0.16])
    arm.run(0.2)
    assert arm.ends[0].status is GoalStatus.SUCCEEDED


def test_feedback_comes_at_the_monitor_rate_with_desired_actual_and_error():
    arm = Arm()
    arm.stuck = True
    goal = arm.send(line((1.0, 1.0), step=1.0))
    arm.run(0.5)
    assert len(arm.feedback) == 10
    last = arm.feedback[-1]
    assert last.goal == goal
    assert last.time_from_start == pytest.approx(0.49)
    assert last.desired.position == pytest.approx([0.49, 0.49])
    assert last.actual_position == pytest.approx([0.0, 0.0])
    assert last.error == pytest.approx([0.49, 0.49])


# Replacing and stopping.


def test_a_new_goal_aborts_the_running_one_at_once_and_goes_on_from_where_the_arm_is():
    arm = Arm()
    first = arm.send(line((1.0, 1.0), step=1.0))
    arm.run(0.3)
    second = arm.send(line((0.0, 0.0), step=0.3))
    arm.run(PERIOD)
    (end,) = arm.ends
    assert (end.goal, end.status, end.error_code) == (first, GoalStatus.ABORTED, ErrorCode.INVALID_GOAL)
    assert "preempted" in end.message
    arm.run(0.4)
    assert arm.position == pytest.approx([0.0, 0.0])
    assert arm.ends[-1] == GoalEnd(second, GoalStatus.SUCCEEDED, ErrorCode.SUCCESSFUL, "Goal reached.")


def test_a_cancelled_goal_holds_the_measured_position_and_ends_without_error_code():
    arm = Arm()
    goal = arm.send(line((1.0, 1.0), step=1.0))
    arm.run(0.32)
    reached = arm.position.copy()
    arm.controller.cancel(goal)
    arm.run(0.2)
    assert arm.position == pytest.approx(reached)
    assert arm.ends == [GoalEnd(goal, GoalStatus.CANCELED, ErrorCode.SUCCESSFUL, "")]


def test_cancelling_a_goal_that_is_over_stops_nothing():
    arm = Arm()
    first = arm.send(line((1.0, 1.0), step=1.0))
    arm.run(0.1)
    arm.send(line((0.5, 0.5), step=0.5))
    arm.controller.cancel(first)
    arm.run(0.6)
    assert arm.position == pytest.approx([0.5, 0.5])


def test_a_goal_sent_right_after_a_cancel_runs_and_the_cancelled_one_is_still_told():
    arm = Arm()
    first = arm.send(line((1.0, 1.0), step=1.0))
    arm.run(0.1)
    arm.controller.cancel(first)
    second = arm.send(line((0.2, 0.2)))
    arm.run(0.3)
    assert [(end.goal, end.status) for end in arm.ends] == [
        (first, GoalStatus.CANCELED),
        (second, GoalStatus.SUCCEEDED),
    ]
    assert arm.position == pytest.approx([0.2, 0.2])


def test_with_a_deceleration_limit_a_cancelled_goal_brakes_no_harder_than_that():
    arm = Arm(max_deceleration_on_cancel=(2.0, 4.0))
    goal = arm.send(line((1.0, -1.0), step=1.0))
    arm.run(0.3)
    begin, speed = arm.position.copy(), arm.velocity.copy()
    arm.controller.cancel(goal)
    arm.run(1.0)
    assert arm.position - begin == pytest.approx(np.sign(speed) * speed**2 / (2 * np.array([2.0, 4.0])))
    velocities = np.diff(np.array(arm.commands), axis=0) / PERIOD
    decelerations = np.abs(np.diff(velocities[30:], axis=0)) / PERIOD
    assert (decelerations.max(axis=0) <= np.array([2.0, 4.0]) + 1e-6).all()
    assert arm.ends[0].status is GoalStatus.CANCELED


def test_deactivation_aborts_the_goal_for_the_reason_given():
    arm = Arm()
    goal = arm.send(line((1.0, 1.0), step=1.0))
    arm.run(0.1)
    assert arm.controller.deactivate("the power is cut") == (
        GoalEnd(goal, GoalStatus.ABORTED, ErrorCode.INVALID_GOAL, "the power is cut"),
    )
    assert not arm.controller.active


# Tolerances.


def stuck_arm(**changes) -> Arm:
    arm = Arm(**changes)
    arm.stuck = True
    return arm


def test_a_path_tolerance_aborts_when_the_arm_falls_behind_and_the_arm_holds():
    arm = stuck_arm()
    arm.send(line((1.0, 0.0), step=1.0), path=(JointTolerance("a", position=0.205),))
    arm.run(0.3)
    (end,) = arm.ends
    assert (end.status, end.error_code) == (GoalStatus.ABORTED, ErrorCode.PATH_TOLERANCE_VIOLATED)
    assert "joint a is off by +0.21" in end.message
    assert arm.commands[-1] == pytest.approx([0.0, 0.0])
    assert arm.controller.idle


def test_without_tolerances_a_goal_succeeds_at_its_time_wherever_the_arm_is():
    arm = stuck_arm()
    arm.send(line((1.0, 1.0)))
    arm.run(0.2)
    assert arm.ends[0].status is GoalStatus.SUCCEEDED


def test_a_goal_tolerance_with_a_goal_time_aborts_when_that_is_over():
    arm = stuck_arm()
    arm.send(line((1.0, 1.0)), goal=(JointTolerance("b", position=0.1),), goal_time=0.3)
    arm.run(0.35)
    assert arm.ends == []
    arm.run(0.15)
    (end,) = arm.ends
    assert (end.status, end.error_code) == (GoalStatus.ABORTED, ErrorCode.GOAL_TOLERANCE_VIOLATED)
    assert "joint b" in end.message


def test_a_goal_tolerance_without_goal_time_waits_until_the_arm_arrives():
    arm = stuck_arm()
    arm.send(line((1.0, 1.0)), goal=(JointTolerance("b", position=0.1),))
    arm.run(5.0)
    assert arm.ends == []
    arm.stuck = False
    arm.run(0.1)
    assert arm.ends[0].status is GoalStatus.SUCCEEDED


def test_zero_keeps_the_default_tolerance_and_minus_one_switches_it_off():
    for requested, status in ((0.0, GoalStatus.ABORTED), (-1.0, GoalStatus.SUCCEEDED), (2.0, GoalStatus.SUCCEEDED)):
        arm = stuck_arm(path_tolerance=(0.1, 0.1))
        entries = tuple(JointTolerance(joint, position=requested) for joint in JOINTS)
        arm.send(line((1.0, 1.0)), path=entries)
        arm.run(0.2)
        assert arm.ends[0].status is status


@pytest.mark.parametrize(
    "entries", [(JointTolerance("a", position=-1.0), JointTolerance("x")), (JointTolerance("a", position=-0.5),)]
)
def test_a_tolerance_that_makes_no_sense_leaves_all_the_defaults_and_says_so(entries):
    arm = stuck_arm(path_tolerance=(0.1, 0.1))
    _, complaint = arm.controller.accept(line((1.0, 1.0)), ToleranceRequest(path=entries), arm.now)
    assert "default tolerances" in complaint
    arm.run(0.2)
    assert arm.ends[0].error_code is ErrorCode.PATH_TOLERANCE_VIOLATED


def test_the_stopped_velocity_is_judged_only_with_a_velocity_command_interface():
    for judged in (False, True):
        arm = stuck_arm(velocity_command_interface=judged)
        arm.send(line((1.0, 1.0)))
        arm.run(0.1)
        # The trajectory still moves when its last period begins, and this arm does not.
        assert bool(arm.ends) is not judged
        arm.run(0.1)
        assert arm.ends[0].status is GoalStatus.SUCCEEDED


# Splines.

numbers = st.floats(-2.0, 2.0)
pairs = st.tuples(numbers, numbers).map(np.array)
spans = st.lists(st.floats(0.02, 1.0), min_size=1, max_size=5)


def full_point(time: float, orders: int, data: st.DataObject) -> Waypoint:
    values = [data.draw(pairs) for _ in range(orders)]
    return Waypoint(time, *values)


@settings(max_examples=60, deadline=None)
@given(spans, st.integers(1, 3), st.data())
def test_a_path_passes_every_waypoint_with_all_it_carries_and_rests_at_the_last(durations, orders, data):
    times = np.cumsum(durations)
    points = tuple(full_point(float(time), orders, data) for time in times)
    state = MotionState(data.draw(pairs), data.draw(pairs), np.zeros(2))
    path = WaypointPath(10.0, state, 10.0, points)
    assert path.at(10.0).position == pytest.approx(state.position)
    for waypoint in points:
        # Approached from below: at the waypoint itself the next segment begins. So closely, because in the shortest
        # spans the acceleration changes by 3e7 rad/s^2 in a second.
        before = path.at(10.0 + waypoint.time - 1e-11)
        assert before.position == pytest.approx(waypoint.position, abs=1e-4)
        if orders >= 2:
            assert before.velocity == pytest.approx(waypoint.velocity, abs=1e-3)
        if orders == 3:
            assert before.acceleration == pytest.approx(waypoint.acceleration, abs=1e-2)
    assert path.at(10.0 + float(times[-1]) + 5.0).position == pytest.approx(points[-1].position)


@settings(max_examples=60, deadline=None)
@given(spans, st.data())
def test_positions_alone_never_leave_the_span_between_their_waypoints(durations, data):
    times = np.cumsum(durations)
    points = tuple(full_point(float(time), 1, data) for time in times)
    start = data.draw(pairs)
    path = WaypointPath(0.0, MotionState(start, np.zeros(2), np.zeros(2)), 0.0, points)
    corners = np.array([start, *(each.position for each in points)])
    for time in np.linspace(0.0, float(times[-1]) + 0.1, 50):
        position = path.at(float(time)).position
        assert (position >= corners.min(axis=0) - 1e-9).all()
        assert (position <= corners.max(axis=0) + 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(pairs, pairs, st.floats(0.1, 20.0))
def test_braking_is_monotonic_and_ends_where_the_limit_says(position, velocity, limit):
    brake = Deceleration(5.0, position, velocity, np.full(2, limit))
    travelled = [brake.at(5.0 + t).position - position for t in np.linspace(0.0, brake.end - 5.0 + 0.1, 40)]
    assert (np.diff(np.array(travelled) * np.sign(velocity), axis=0) >= -1e-9).all()
    assert travelled[-1] == pytest.approx(np.sign(velocity) * velocity**2 / (2 * limit))
    assert brake.at(brake.end).velocity == pytest.approx([0.0, 0.0], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["send", "cancel", "run"]), pairs), max_size=25))
def test_every_accepted_goal_ends_exactly_once_and_at_most_one_runs(events):
    arm, goals = Arm(), []
    for event, values in events:
        if event == "send":
            goals.append(arm.send(line(tuple(values))))
        elif event == "cancel" and goals:
            arm.controller.cancel(goals[-1])
        else:
            arm.run(float(abs(values[0])) / 10)
    arm.run(0.3)
    assert sorted(end.goal for end in arm.ends) == goals
    assert arm.controller.idle
