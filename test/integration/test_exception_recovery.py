"""Supervisor, monitor, inference and simulated robot together: what becomes of a task when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from ams_ros.msg import ActionException, MonitorState, MotionPlan
from ams_ros.srv import Acknowledge, InjectFault, ResetScene
from control_msgs.action import FollowJointTrajectory
from ros_probe import LATCHED, SENSOR, Messages, NodeProcess, Probe, wait_until
from sensor_msgs.msg import JointState
from task_course import Course
from trajectory_msgs.msg import JointTrajectoryPoint

from ams_ros.nodes.conversions import to_duration
from ams_ros.robot.profile import load_profile

pytestmark = pytest.mark.integration

ROBOT, MONITOR = "/ams/simulated_robot", "/ams/exception_monitor"
ARM = "/arm_controller/follow_joint_trajectory"
PROFILE = load_profile("widowx_250s")
SUCCEEDED, ABORTED = GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED
LIVE = {GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING, GoalStatus.STATUS_CANCELING}


class Graph:
    """Four nodes, and what they told so far."""

    def __init__(self, probe: Probe, start: Callable[..., NodeProcess]) -> None:
        self.probe, self._start = probe, start
        self.robot = start("simulated_robot")
        # A test freezes it, and its last pictures are old then.
        self.inference = start("inference", {"max_age": 30.0})
        self.supervisor = start("replay_supervisor", {"server_wait": 6.0})
        for node in (self.robot, self.inference, self.supervisor):
            probe.bring_up(node.name)
        self.exceptions: Messages = probe.listen(ActionException, f"{MONITOR}/exception", 100)
        self.states: Messages = probe.listen(MonitorState, f"{MONITOR}/state", LATCHED)
        self.joints: Messages = probe.listen(JointState, "/joint_states", SENSOR)
        self.arm: Messages = probe.listen(GoalStatusArray, f"{ARM}/_action/status", LATCHED)
        self.plans: Messages = probe.listen(MotionPlan, f"{self.supervisor.name}/plan", 100)
        self.start_monitor()

    def start_monitor(self) -> None:
        self.monitor = self._start("exception_monitor")
        # One that was killed is still listed for a while, so that its successor seems to be there too early.
        self.probe.meet(f"{MONITOR}/change_state")
        self.probe.bring_up(MONITOR)

    def reset(self) -> None:
        assert self.probe.call(ResetScene, f"{ROBOT}/reset", task="cubes", objects=1, seed=3).success

    def inject(self, fault: str, **fields: object) -> None:
        answer = self.probe.call(InjectFault, f"{ROBOT}/inject_fault", fault=fault, **fields)
        assert answer.success, answer.message

    def push(self) -> ActionException:
        """So hard that no rule could miss it."""
        seen = len(self.exceptions.all)
        self.inject("push", duration=0.5, magnitude=80.0, target="hand")
        wait_until(lambda: len(self.exceptions.all) > seen, "an exception is told")
        return self.exceptions.all[seen]

    def push_in_motion(self, course: Course) -> ActionException:
        """Between two goals of a task there is none that an exception could name: then once more."""
        for _ in range(5):
            told = self.push()
            if told.goal:
                return told
            self.goes_on(course)
            self.wait_moving()
        raise AssertionError(f"no push met a goal under way; the last was told as {told}")

    def begin(self, mode: str = "exception") -> Course:
        """A task that is well under way, the arm moving."""
        course = Course(self.probe, mode=mode, step_budget=400)
        course.wait_phase("executing", step=8)
        self.wait_moving()
        return course

    def wait_moving(self) -> None:
        seen = len(self.joints.all)
        wait_until(lambda: any(np.abs(m.velocity[:6]).max() > 0.1 for m in self.joints.all[seen:]), "the arm moves")

    def wait_still(self) -> None:
        """No goal of the arm is left, and no joint moves."""
        wait_until(lambda: not any(s.status in LIVE for s in self.arm.all[-1].status_list), "no goal of the arm lives")
        wait_until(lambda: bool(np.abs(self.joints.all[-1].velocity[:6]).max() < 0.02), "the arm holds still")

    def send_stranger(self) -> None:
        """A goal of somebody else: the waist to the side, slowly."""
        goal = FollowJointTrajectory.Goal()
        goal.trajectory.joint_names = list(PROFILE.joint_names)
        place = [self.joints.all[-1].position[0] + 0.8, *self.joints.all[-1].position[1:6]]
        goal.trajectory.points = [JointTrajectoryPoint(positions=place, time_from_start=to_duration(3.0))]
        assert self.probe.send_goal(FollowJointTrajectory, ARM, goal).accepted

    def goes_on(self, course: Course) -> None:
        """A slice inferred after the exception runs to its end."""
        met = next(index for index, each in enumerate(course.feedback) if each.phase == "recovering")
        step = course.feedback[met].step
        wait_until(lambda: any(each.step > step for each in course.feedback[met:]), "the task goes on", 30.0)


@pytest.fixture(scope="module")
def nodes(start_shared_node, probe) -> Graph:
    return Graph(probe, start_shared_node)


@pytest.fixture
def graph(nodes) -> Iterator[Graph]:
    nodes.reset()
    yield nodes
    for course in list(Course.running):
        course.cancel()
    nodes.inject("none")


def test_a_push_stops_the_arm_it_goes_back_under_watch_and_a_fresh_slice_is_inferred_e4_e5_e6(graph):
    course = graph.begin()
    told = graph.push_in_motion(course)
    assert (told.acted, told.stopped) == (True, True)
    at = [plan.goal for plan in graph.plans.all].index(told.goal)
    broken_off = graph.plans.all[at]
    assert (broken_off.purpose, told.context_id) == ("task", broken_off.context_id)
    course.wait_phase("recovering")
    wait_until(lambda: any(plan.purpose == "task" for plan in graph.plans.all[at + 1 :]), "the task goes on", 30.0)
    graph.goes_on(course)
    after = graph.plans.all[at + 1 :]
    assert after[0].purpose == "recovery"
    assert next(plan for plan in after if plan.purpose == "task").context_id != broken_off.context_id
    phases = [each.phase for each in course.feedback]
    assert phases[phases.index("recovering") + 1 :][:2] == ["inferring", "executing"]
    assert course.feedback[-1].exceptions >= 1
    _, result = course.cancel()
    assert result.outcome == "canceled"
    assert result.exceptions == course.feedback[-1].exceptions


def test_every_goal_of_a_task_is_announced_before_it_runs_with_sub_slices_that_cover_it_e3(graph):
    seen = len(graph.plans.all)
    course = graph.begin()
    course.wait_phase("executing", step=24)
    course.cancel()
    plans = {plan.goal: plan for plan in graph.plans.all[seen:]}
    run = {bytes(s.goal_info.goal_id.uuid).hex() for message in graph.arm.all for s in message.status_list}
    assert set(plans) <= run
    for plan in plans.values():
        steps = len(plan.positions) // 6
        assert plan.sub_slices[-1] == steps
        assert all(2 <= size <= 5 for size in np.diff([0, *plan.sub_slices])) or steps == 1
    assert [plan.slice for plan in plans.values()] == sorted(plan.slice for plan in plans.values())


def test_a_stop_between_two_slices_is_seen_before_the_next_goal_is_sent_e4(graph):
    course = graph.begin()
    with graph.inference.frozen():
        wait_until(lambda: course.feedback[-1].phase == "inferring", "the next slice is asked for")
        graph.wait_still()
        plans = len(graph.plans.all)
        graph.send_stranger()
        graph.wait_moving()
        graph.push()
    course.wait_phase("recovering")
    graph.goes_on(course)
    assert graph.plans.all[plans].purpose == "recovery"
    course.cancel()


def test_in_mode_direct_the_stop_ends_the_task_with_its_reason_and_the_next_task_lifts_it(graph):
    seen = len(graph.plans.all)
    course = graph.begin("direct")
    told = graph.push()
    status, result = course.end()
    assert (status, result.outcome, result.exceptions) == (ABORTED, "failed", 1)
    assert told.rule in result.message
    assert len(graph.plans.all) == seen, "nothing is announced in mode direct"
    graph.wait_still()
    assert graph.states.all[-1].state == "stopped"
    status, result = Course(graph.probe, step_budget=4).end()
    assert (status, result.outcome) == (SUCCEEDED, "budget_spent"), result.message


def test_a_stop_that_needs_a_person_ends_the_task_and_the_next_until_it_is_acknowledged(graph):
    course = graph.begin()
    graph.inject("drop_joint_states", duration=0.0)
    status, result = course.end()
    assert (status, result.outcome) == (ABORTED, "failed")
    assert "acknowledge" in result.message
    graph.inject("none")
    # The ladder went to its last rung, as nobody could see the arm come to rest.
    assert graph.probe.change(ROBOT, "activate")
    status, result = Course(graph.probe, step_budget=4).end()
    assert (status, result.outcome, result.steps) == (ABORTED, "failed", 0)
    assert "ams acknowledge" in result.message
    graph.wait_still()
    wait_until(
        lambda: graph.probe.call(Acknowledge, f"{MONITOR}/acknowledge", exception=0, person="test").success,
        "the arm is seen at rest and may be acknowledged",
    )
    status, result = Course(graph.probe, step_budget=4).end()
    assert (status, result.outcome) == (SUCCEEDED, "budget_spent"), result.message


def test_a_monitor_killed_while_the_arm_moves_ends_the_motion_and_mode_exception_is_refused_until_another_is_there(
    graph,
):
    course = graph.begin()
    graph.monitor.process.kill()
    status, result = course.end()
    assert (status, result.outcome) == (ABORTED, "failed")
    assert "process of node exception_monitor" in result.message
    assert "ended" in result.message
    graph.wait_still()
    status, result = Course(graph.probe, mode="exception", step_budget=4).end()
    assert (status, result.outcome, result.steps) == (ABORTED, "failed", 0)
    assert "needs the exception monitor" in result.message
    assert "ams up" in result.message
    assert Course(graph.probe, mode="direct", step_budget=4).end()[0] == SUCCEEDED
    graph.start_monitor()
    status, result = Course(graph.probe, mode="exception", step_budget=4).end()
    assert (status, result.outcome) == (SUCCEEDED, "budget_spent"), result.message


def test_a_monitor_deactivated_while_the_arm_moves_ends_the_motion(graph):
    course = graph.begin()
    assert graph.probe.change(MONITOR, "deactivate")
    status, result = course.end()
    assert (status, result.outcome) == (ABORTED, "failed")
    assert "not active" in result.message
    graph.wait_still()
    assert graph.probe.change(MONITOR, "activate")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fault": "earthquake"}, ["earthquake", "push", "none"]),
        ({"fault": "push", "target": "table"}, ["table", "hand", "forearm"]),
        ({"fault": "push", "magnitude": -1.0}, ["-1"]),
        ({"fault": "push", "onset": float("nan")}, ["nan"]),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_is_allowed(graph, fields, words):
    answer = graph.probe.call(InjectFault, f"{ROBOT}/inject_fault", **fields)
    assert not answer.success
    assert all(word in answer.message for word in words), answer.message
