"""A goal of the supervisor's whose answer comes at a bad moment, or never: rclpy's own server, real DDS."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from control_msgs.action import FollowJointTrajectory
from ros_probe import LATCHED, Probe, wait_until
from slow_controller import ACTION, SlowController

from ams_ros.errors import RobotError
from ams_ros.nodes.goal_call import GoalCall
from ams_ros.nodes.goal_client import GoalClient
from ams_ros.robot.stop_request import StopRequest

pytestmark = pytest.mark.integration


class Tampered:
    """What a client's handle does, but for the functions given."""

    def __init__(self, handle: Any, **instead: Any) -> None:
        self._handle = handle
        self.__dict__.update(instead)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


@pytest.fixture
def controller(domain):
    controller = SlowController()
    yield controller
    controller.answer.set()
    controller.close()


@pytest.fixture
def client(probe: Probe, controller: SlowController):
    client = GoalClient(probe.node, FollowJointTrajectory, ACTION)
    wait_until(client.server_is_ready, "the controller appears")
    controller.wait_client()
    yield client
    client.destroy()


def sent(client: GoalClient) -> GoalCall:
    return GoalCall(client, FollowJointTrajectory.Goal(), "the arm")


def hurried(client: GoalClient, send: str, take: str) -> Any:
    """A client's handle whose `send` returns only when the answer was taken, or has had time enough for that."""
    handle, taken = client._client_handle, threading.Event()

    def send_and_linger(*arguments: Any) -> Any:
        number = getattr(handle, send)(*arguments)
        # Not for its absence: until the answer is there, which takes some milliseconds, nothing is tested.
        taken.wait(0.5)
        return number

    def take_and_tell(*arguments: Any) -> Any:
        answer = getattr(handle, take)(*arguments)
        taken.set()
        return answer

    return Tampered(handle, **{send: send_and_linger, take: take_and_tell})


def test_an_answer_that_arrives_before_the_question_is_taken_down_is_not_lost(client, controller):
    controller.answer.set()
    client._client_handle = hurried(client, "send_goal_request", "take_goal_response")
    assert sent(client).accept(5.0, StopRequest())


def test_a_result_that_arrives_before_the_question_is_taken_down_is_not_lost(client, controller):
    controller.answer.set()
    goal = sent(client)
    wait_until(goal._sent.done, "the goal is accepted")
    goal._sent.result().cancel_goal_async()
    assert controller.canceled.wait(5.0)
    client._client_handle = hurried(client, "send_result_request", "take_result_response")
    assert goal.accept(5.0, StopRequest())
    assert goal.end(5.0).status == GoalStatus.STATUS_CANCELED


@pytest.mark.parametrize("how", ["accept", "cancel"])
def test_a_goal_that_runs_though_its_answer_was_lost_is_canceled(client, controller, probe, how):
    arm = probe.listen(GoalStatusArray, f"{ACTION}/_action/status", LATCHED)
    controller.answer.set()
    handle = client._client_handle

    def lose(kind: Any) -> tuple[None, None]:
        handle.take_goal_response(kind)
        return None, None

    client._client_handle = Tampered(handle, take_goal_response=lose)
    goal = sent(client)
    assert controller.accepted.wait(5.0)
    if how == "accept":
        with pytest.raises(RobotError, match=r"did not answer the goal within 0\.5 s; it was canceled"):
            goal.accept(0.5, StopRequest())
    else:
        goal.cancel(0.5)
    arm.wait_for(lambda message: message.status_list[-1].status == GoalStatus.STATUS_CANCELED, "the goal was canceled")


def test_a_goal_whose_controller_neither_answers_nor_cancels_is_not_said_to_have_ended(client, controller):
    goal = sent(client)
    assert controller.arrived.wait(5.0)
    with pytest.raises(RobotError, match="so it may still be moving"):
        goal.cancel(0.2)
    controller.answer.set()
    assert controller.canceled.wait(5.0)


def test_a_goal_that_the_controller_does_not_know_is_not_said_to_have_ended(client, controller):
    handle = client._client_handle
    client._client_handle = Tampered(handle, send_goal_request=lambda request: -1)
    with pytest.raises(RobotError, match="it does not know the goal"):
        sent(client).accept(0.2, StopRequest())
