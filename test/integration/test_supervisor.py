"""The supervisor with the real simulated robot and the real inference node; its policy has random weights."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from ams_ros.action import RunTask
from ams_ros.msg import TaskState
from ams_ros.srv import ResetScene
from random_policy import INSTRUCTION
from ros_probe import LATCHED, SENSOR, wait_until
from sensor_msgs.msg import JointState
from slow_controller import ACTION, SlowController
from task_course import Course

from ams_ros.robot.profile import load_profile

pytestmark = pytest.mark.integration

ARM_STATUS = "/arm_controller/follow_joint_trajectory/_action/status"
PROFILE = load_profile("widowx_250s")


@pytest.fixture(scope="module")
def robot(start_shared_node, probe):
    node = start_shared_node("simulated_robot")
    probe.bring_up(node.name)
    return node


@pytest.fixture(scope="module")
def inference(start_shared_node, probe, random_checkpoint):
    node = start_shared_node("inference", {"policy": str(random_checkpoint)})
    probe.bring_up(node.name)
    return node


@pytest.fixture(scope="module")
def supervisor(start_shared_node, probe, robot, inference):
    node = start_shared_node("replay_supervisor", {"rest.slices": 1000})
    probe.bring_up(node.name)
    return node


@pytest.fixture
def graph(supervisor, robot, probe):
    """The three nodes, active, the arm at its start pose and no task running."""
    assert reset_scene(probe, robot)
    yield supervisor
    for course in list(Course.running):
        course.cancel()
    assert probe.state(supervisor.name) == "active"
    status, result = Course(probe, step_budget=4).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, "budget_spent"), result.message


@pytest.fixture
def slow_controller(domain):
    controller = SlowController()
    yield controller
    controller.answer.set()
    controller.close()


def reset_scene(probe, robot):
    return probe.call(ResetScene, f"{robot.name}/reset", task="cubes", objects=1, seed=3).success


def arm_holds_still(probe):
    """Wait for a joint state that shows no joint moving."""
    states = probe.listen(JointState, "/joint_states", SENSOR)
    states.wait_for(lambda message: np.abs(message.velocity[:6]).max() < 0.02, "the arm holds still")


def test_a_task_runs_to_its_budget_and_tells_its_course(graph, probe):
    states = probe.listen(TaskState, f"{graph.name}/state", LATCHED)
    joints = probe.listen(JointState, "/joint_states", SENSOR)
    course = Course(probe, step_budget=20)
    status, result = course.end()
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, "budget_spent"), result.message
    assert (result.steps, result.inferences, result.exceptions, result.replays) == (20, 3, 0, 0)
    assert 0.0 < result.policy_seconds < result.seconds
    told = [(each.phase, each.step, each.slice) for each in course.feedback]
    assert told == [
        ("inferring", 0, 0),
        ("executing", 0, 1),
        ("inferring", 8, 1),
        ("executing", 8, 2),
        ("inferring", 16, 2),
        ("executing", 16, 3),
    ]
    last = states.wait_for(lambda message: message.step == 20, "the state shows the end")
    assert (last.running, last.phase, last.instruction) == (False, "ended", INSTRUCTION)
    moved = np.ptp([message.position[:6] for message in joints.all], axis=0)
    assert moved.max() > 0.01


def test_a_task_ends_at_rest_when_slices_move_less_than_the_thresholds(graph, probe):
    with probe.reconfigured(graph.name, rest__arm=1.0, rest__gripper=0.1, rest__slices=2):
        status, result = Course(probe).end()
    assert (status, result.outcome, result.inferences) == (GoalStatus.STATUS_SUCCEEDED, "at_rest", 2)


def test_a_task_canceled_while_executing_cancels_the_arm_goal_and_the_arm_holds(graph, probe):
    arm = probe.listen(GoalStatusArray, ARM_STATUS, LATCHED)
    course = Course(probe)
    course.wait_phase("executing", step=8)
    status, result = course.cancel()
    assert (status, result.outcome) == (GoalStatus.STATUS_CANCELED, "canceled")
    assert "client" in result.message
    assert 8 <= result.steps < 1500
    wait_until(lambda: arm.all[-1].status_list[-1].status not in {1, 2, 3}, "no goal of the arm is left running")
    arm_holds_still(probe)


def test_a_task_can_be_canceled_at_the_very_moment_it_was_accepted(graph, probe):
    status, result = Course(probe).cancel()
    assert (status, result.outcome) == (GoalStatus.STATUS_CANCELED, "canceled")


def test_a_task_canceled_while_the_inference_node_is_silent_ends_without_waiting_for_it(graph, probe, inference):
    with inference.frozen():
        course = Course(probe)
        course.wait_phase("inferring")
        status, result = course.cancel()
    assert (status, result.outcome, result.steps) == (GoalStatus.STATUS_CANCELED, "canceled", 0)


def test_an_inference_node_that_stays_silent_fails_the_task_by_name(graph, probe, inference):
    with probe.reconfigured(graph.name, infer_timeout=0.5), inference.frozen():
        status, result = Course(probe).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert "infer_slice did not answer within 0.5 s" in result.message


def test_an_absent_inference_node_fails_the_task_by_name(graph, probe):
    with probe.reconfigured(graph.name, infer_service="/nowhere/infer_slice", server_wait=0.5):
        status, result = Course(probe).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert "/nowhere/infer_slice is not there" in result.message


@pytest.mark.parametrize("parameter", ["arm_action", "gripper_action"])
def test_an_absent_controller_fails_the_task_by_name(graph, probe, parameter):
    with probe.reconfigured(graph.name, **{parameter: "/nowhere/controller"}, server_wait=0.5):
        status, result = Course(probe).end()
    assert (status, result.outcome, result.steps) == (GoalStatus.STATUS_ABORTED, "failed", 0)
    assert "/nowhere/controller is not there" in result.message


def test_silent_joint_states_fail_the_task_by_topic(graph, probe):
    with probe.reconfigured(graph.name, joint_states_topic="/nowhere/joint_states"):
        status, result = Course(probe).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert "/nowhere/joint_states" in result.message


def test_a_rejected_trajectory_fails_the_task(graph, probe, slow_controller):
    slow_controller.accept = False
    slow_controller.answer.set()
    with probe.reconfigured(graph.name, arm_action=ACTION):
        slow_controller.wait_client()
        status, result = Course(probe).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert f"{ACTION} rejected the goal" in result.message


def test_a_task_canceled_between_goal_sent_and_accepted_cancels_the_goal_once_it_is_accepted(
    graph, probe, slow_controller
):
    with probe.reconfigured(graph.name, arm_action=ACTION):
        slow_controller.wait_client()
        course = Course(probe)
        assert slow_controller.arrived.wait(20.0)
        probe.cancel(course.handle)
        slow_controller.answer.set()
        status, result = course.end()
    assert (status, result.outcome, result.steps) == (GoalStatus.STATUS_CANCELED, "canceled", 0)
    assert slow_controller.canceled.wait(5.0)


def test_a_goal_accepted_after_the_task_gave_up_is_canceled_too(graph, probe, slow_controller):
    with probe.reconfigured(graph.name, arm_action=ACTION, server_wait=0.5):
        slow_controller.wait_client()
        status, result = Course(probe).end()
        assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
        assert "did not answer the goal within 0.5 s" in result.message
        assert not slow_controller.accepted.is_set()
        slow_controller.answer.set()
        assert slow_controller.canceled.wait(10.0)


def test_a_controller_that_never_ends_a_trajectory_is_canceled_and_the_task_fails(graph, probe, slow_controller):
    slow_controller.answer.set()
    with probe.reconfigured(graph.name, arm_action=ACTION, execution_margin=0.5):
        slow_controller.wait_client()
        status, result = Course(probe).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert "gave no result" in result.message
    assert slow_controller.canceled.is_set()


def test_a_trajectory_aborted_by_the_robot_fails_the_task_with_the_robots_words(graph, probe, robot):
    course = Course(probe)
    # Between two slices no trajectory is there to be aborted, so one reset may go unnoticed.
    wait_until(lambda: reset_scene(probe, robot) and not course.going_on(), "a reset hits a trajectory", 60.0)
    status, result = course.end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert "aborted the trajectory" in result.message
    assert "scene was reset" in result.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"step_budget": 0}, ["step_budget", "0", "at least 1"]),
        ({"mode": "fast"}, ["mode", "'fast'", "direct"]),
        ({"instruction": "dance on the table"}, ["instruction", "dance on the table", "bowl"]),
        ({"instruction": ""}, ["instruction", "''", "bowl"]),
    ],
)
def test_a_goal_that_cannot_be_run_ends_with_key_value_and_what_is_allowed(graph, probe, fields, words):
    status, result = Course(probe, **fields).end()
    assert (status, result.outcome, result.steps) == (GoalStatus.STATUS_ABORTED, "failed", 0)
    assert all(word in result.message for word in words), result.message


def test_a_second_task_is_refused_with_the_reason_and_the_first_goes_on(graph, probe):
    first = Course(probe)
    first.wait_phase("executing")
    status, result = Course(probe, instruction="the second").end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert "runs already" in result.message
    assert INSTRUCTION in result.message
    seen = len(first.feedback)
    wait_until(lambda: len(first.feedback) > seen, "the first task goes on")
    assert first.cancel()[1].outcome == "canceled"


def test_deactivating_ends_a_running_task_with_the_reason_and_the_node_works_again(graph, probe):
    course = Course(probe)
    course.wait_phase("executing")
    assert probe.change(graph.name, "deactivate")
    status, result = course.end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "canceled")
    assert "deactivated" in result.message
    arm_holds_still(probe)
    status, result = Course(probe).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert "inactive" in result.message
    assert probe.change(graph.name, "activate")


def test_a_signal_ends_a_running_task_before_the_node_and_tells_the_client(robot, inference, start_node, probe):
    node = start_node("replay_supervisor", namespace="/other")
    assert probe.set_parameters(node.name, infer_service=f"{inference.name}/infer_slice") == []
    probe.bring_up(node.name)
    goal = RunTask.Goal(instruction=INSTRUCTION, mode="direct", step_budget=1500, seed=1)
    executing = threading.Event()
    handle = probe.send_goal(
        RunTask,
        f"{node.name}/run_task",
        goal,
        lambda message: executing.set() if message.feedback.phase == "executing" else None,
    )
    result = handle.get_result_async()
    assert executing.wait(30.0)
    assert node.stop() == 0
    ended = probe.wait(result, "the client is told").result
    assert ended.outcome == "canceled"
    assert "SIGINT" in ended.message
    assert "Traceback" not in node.output()
    arm_holds_still(probe)
