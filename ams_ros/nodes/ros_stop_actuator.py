"""The stop ladder's hands over ROS."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from action_msgs.srv import CancelGoal
from control_msgs.action import FollowJointTrajectory
from rclpy.client import Client
from rclpy.task import Future
from trajectory_msgs.msg import JointTrajectoryPoint
from unique_identifier_msgs.msg import UUID

from ams_ros.nodes.conversions import to_duration
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.service_requests import answer_of, service_request, service_type
from ams_ros.robot.driver import DriverProfile, StopStep
from ams_ros.types import Float64Array, StopStage

Answered = Callable[[StopStage, bool, str], None]
"""Takes the answer to the newest request of a stage, on the executor's thread: accepted or not, and what it says."""

_HOLD_SECONDS = 0.1
"""The arm is at the position it is to hold already; a controller refuses a goal that takes no time."""

_OWN_GOALS = 16
"""So many hold goals are remembered as our own; only the newest can be alive."""

_REFUSALS = {
    CancelGoal.Response.ERROR_REJECTED: "the controller refused to cancel",
    CancelGoal.Response.ERROR_UNKNOWN_GOAL_ID: "the controller knows no such goal",
    CancelGoal.Response.ERROR_GOAL_TERMINATED: "the goal had ended already",
}


class RosStopActuator:
    """Implements robot.stop_actuator.StopActuator on the executor's thread.

    Requests and clients are made at construction. A request is sent first and only then is looked whether its service
    is there: one that is not counts as refused at once. Answers that come after a newer request of the same stage
    are dropped, because they do not speak of it.
    """

    def __init__(
        self,
        node: AmsNode,
        driver: DriverProfile,
        joint_names: tuple[str, ...],
        answered: Answered,
        running: Callable[[], bool],
    ) -> None:
        """Raises ConfigurationError when the driver names a service whose type is not installed or cannot be asked so.

        joint_names: of the arm, in the order of the positions to hold. running: whether the arm's controller has a
        goal that could still be canceled.
        """
        self._answered, self._running = answered, running
        self._steps = driver.stop
        self._newest: dict[StopStage, Future] = {}
        self._own_goals: deque[str] = deque(maxlen=_OWN_GOALS)
        action = f"{driver.arm_action}/_action"
        self._cancel_client = node.create_client(CancelGoal, f"{action}/cancel_goal")
        self._cancel_request = CancelGoal.Request()  # no id and no stamp: every goal
        goal_service = FollowJointTrajectory.Impl.SendGoalService
        self._hold_client = node.create_client(goal_service, f"{action}/send_goal")
        self._hold_request = goal_service.Request()
        self._hold_request.goal.trajectory.joint_names = list(joint_names)
        self._hold_request.goal.trajectory.points = [JointTrajectoryPoint(time_from_start=to_duration(_HOLD_SECONDS))]
        self._calls = {
            step: (node.create_client(service_type(step.call), step.call.service), service_request(step.call))
            for step in driver.stop
            if step.call is not None
        }

    @property
    def ready(self) -> bool:
        """Whether the arm's controller is there to be stopped."""
        return bool(self._cancel_client.service_is_ready() and self._hold_client.service_is_ready())

    def owns(self, goal: str) -> bool:
        """Whether that goal (hex id) is one of `hold`."""
        return goal in self._own_goals

    def cancel_all(self) -> None:
        """Ask the arm's controller to cancel every goal it has, whoever sent it."""
        self._send(StopStage.CANCEL, self._cancel_client, self._cancel_request, self._canceled)

    def hold(self, position: Float64Array) -> None:
        """Send the arm's controller a goal to stay at `position` (dof,) rad."""
        goal = uuid.uuid4()
        self._own_goals.append(goal.hex)
        self._hold_request.goal_id = UUID(uuid=np.frombuffer(goal.bytes, np.uint8))
        self._hold_request.goal.trajectory.points[0].positions = position.tolist()
        self._send(StopStage.HOLD, self._hold_client, self._hold_request, _held)

    def call(self, step: StopStep) -> None:
        """Call the service of a DRIVER_STOP or DEACTIVATE rung."""
        client, request = self._calls[step]
        assert step.call is not None
        known = step.call
        self._send(step.stage, client, request, lambda response: answer_of(known, response))

    def stop_unseen(self) -> None:
        """The first rung that needs no position, for when nobody can follow the ladder any more.

        Not simply a cancel: a driver whose ladder has none must never be sent one.
        """
        step = next((each for each in self._steps if each.stage is not StopStage.HOLD), None)
        if step is None:
            return
        if step.stage is StopStage.CANCEL:
            self.cancel_all()
        else:
            self.call(step)

    def _send(self, stage: StopStage, client: Client, request: Any, meaning: Callable[[Any], tuple[bool, str]]) -> None:
        future = client.call_async(request)
        before, self._newest[stage] = self._newest.get(stage), future
        if before is not None:
            # A stop that cannot be proven is tried for as long as it takes; what nobody answers would pile up.
            client.remove_pending_request(before)

        def told(accepted: bool, message: str) -> None:
            if self._newest[stage] is future:
                self._answered(stage, accepted, message)

        def read(done: Future) -> None:
            if not done.cancelled():
                told(*meaning(done.result()))

        future.add_done_callback(read)
        if not client.service_is_ready():
            told(False, f"service {client.srv_name} is not there")

    def _canceled(self, response: CancelGoal.Response) -> tuple[bool, str]:
        """Servers of rclpy that refuse a cancel say no more than that they cancel nothing; rclcpp's have a code for it.

        An empty list is right when no goal is left that could be canceled.
        """
        if response.return_code != CancelGoal.Response.ERROR_NONE:
            return False, _REFUSALS.get(response.return_code, f"the controller answered {response.return_code}")
        if not response.goals_canceling and self._running():
            return False, "the controller cancels none of its goals"
        return True, ""


def _held(response: Any) -> tuple[bool, str]:
    return bool(response.accepted), "" if response.accepted else "the controller refused the goal to hold its position"
