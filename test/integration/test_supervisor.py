"""The supervisor with the real simulated robot and the real inference node; its policy has random weights."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from ams_ros.action import RunTask
from ams_ros.msg import TaskEvent, TaskState
from ams_ros.srv import JudgeTask, ResetScene
from random_policy import INSTRUCTION
from ros_probe import LATCHED, SENSOR, Probe, wait_until
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
        ({"mode": "reset", "task": "dishes"}, ["task", "'dishes'", "cubes, cups, mixed"]),
        ({"mode": "reset", "jobs": 1001}, ["jobs", "1001", "1 to 1000"]),
        ({"mode": "reset", "episode": "mine"}, ["episode", "'mine'", "mode reset", "context, exception, ams"]),
    ],
)
def test_a_goal_that_cannot_be_run_ends_with_key_value_and_what_is_allowed(graph, probe, fields, words):
    status, result = Course(probe, **fields).end()
    assert (status, result.outcome, result.steps) == (GoalStatus.STATUS_ABORTED, "failed", 0)
    assert all(word in result.message for word in words), result.message


def test_mode_ams_without_a_pool_is_refused_with_what_would_mend_it(graph, probe):
    with probe.reconfigured(graph.name, server_wait=0.5):
        status, result = Course(probe, mode="ams").end()
    assert (status, result.outcome, result.steps) == (GoalStatus.STATUS_ABORTED, "failed", 0)
    assert "mode ams needs the context pool. Nobody offers /ams/context_pool/set_outcome" in result.message
    assert "ams up" in result.message


def test_mode_reset_begins_every_attempt_at_the_start_pose_without_monitor_or_pool_r3(graph, probe):
    events = probe.listen(TaskEvent, f"{graph.name}/event", 100)
    with probe.reconfigured(graph.name, replay__attempt_first=16, replay__tries=100, replay__unguided=100):
        course = Course(probe, mode="reset", task="cubes", step_budget=120)
        status, result = course.end()
    assert (status, result.outcome, result.episode) == (GoalStatus.STATUS_SUCCEEDED, "budget_spent", ""), result.message
    assert result.replays >= 1
    assert list(result.job_steps) == []
    assert "replaying" in {each.phase for each in course.feedback}
    assert max(each.replays for each in course.feedback) <= result.replays
    told = events.all
    assert [each.kind for each in told[:3]] == ["slice", "slice", "replay"], [each.kind for each in told]
    assert (told[-1].kind, told[-1].step) == ("ended", result.steps)
    begun = [each for each in told if (each.kind, each.slice) == ("slice", 0)]
    assert [each.attempt for each in begun] == list(range(len(begun)))
    assert {each.reuse.pool for each in begun} == {"bypassed"}
    returned = next(each for each in told if each.kind == "returned")
    assert returned.step > next(each for each in told if each.kind == "replay").step, "a way back counts"


def test_a_task_canceled_on_the_way_back_ends_there_and_the_arm_holds(graph, probe):
    arm = probe.listen(GoalStatusArray, ARM_STATUS, LATCHED)
    with probe.reconfigured(graph.name, replay__attempt_first=24, replay__return__scale=0.02):
        course = Course(probe, mode="reset")
        course.wait_phase("replaying")
        seen = len(arm.all)
        wait_until(lambda: any(m.status_list[-1].status == 2 for m in arm.all[seen:]), "the way back has begun")
        status, result = course.cancel()
        assert (status, result.outcome, result.replays) == (GoalStatus.STATUS_CANCELED, "canceled", 1)
    wait_until(lambda: arm.all[-1].status_list[-1].status not in {1, 2, 3}, "no goal of the arm is left running")
    arm_holds_still(probe)


def test_a_users_own_judge_ends_a_task_and_counts_its_jobs_e2(graph, probe):
    asked = []

    def judge(request, response):
        asked.append((request.task, request.instruction, request.attempt))
        response.jobs, response.finished, response.message = 2, True, "the scale shows two cubes"
        return response

    service = probe.node.create_service(JudgeTask, "/scale/judge", judge)
    with probe.reconfigured(graph.name, judge_service="/scale/judge", replay__attempt_first=8):
        status, result = Course(probe, mode="reset").end()
    probe.node.destroy_service(service)
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, "finished"), result.message
    assert result.message == "the scale shows two cubes"
    assert len(result.job_steps) == 2
    assert asked[0] == ("", INSTRUCTION, 0)


def test_a_judge_that_does_not_answer_is_told_once_and_holds_no_task_up(graph, probe):
    enough, judging = threading.Event(), Probe("judge")
    judging.node.create_service(JudgeTask, "/slow/judge", lambda _, response: enough.wait(60.0) and response)
    status_of_node = probe.status(graph.name)
    try:
        with probe.reconfigured(graph.name, judge_service="/slow/judge", judge_timeout=0.2, replay__attempt_first=8):
            status, result = Course(probe, mode="reset", task="cubes", step_budget=40).end()
            # Told on another topic than the result, it may come after it.
            status_of_node.wait_for(lambda message: "/slow/judge" in message.message, "the judge is missed")
            concerns = [each.message for each in status_of_node.all if "/slow/judge" in each.message]
    finally:
        enough.set()
        judging.close()
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, "budget_spent"), result.message
    # Which of the two it is depends on how soon the service is discovered.
    silent, absent = "the judge /slow/judge did not answer within 0.2 s", "the judge /slow/judge is not there"
    assert concerns in ([silent], [absent], [absent, silent])


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
