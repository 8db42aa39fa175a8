"""How the supervisor reaches a robot."""

from __future__ import annotations

import time
from dataclasses import dataclass

from control_msgs.action import FollowJointTrajectory, GripperCommand
from rclpy.client import Client
from rclpy.node import Node

from ams_ros.errors import RobotError
from ams_ros.nodes.driver_calls import DriverCalls
from ams_ros.nodes.goal_call import wait_for
from ams_ros.nodes.goal_client import GoalClient
from ams_ros.nodes.latest import Latest
from ams_ros.robot.stop_request import StopRequest

_POLL_SECONDS = 0.01
_ASK_AGAIN = 0.25
"""s without an answer after which it counts as lost: a server may hear a question before it knows who asks."""


@dataclass(frozen=True, slots=True)
class RobotLimits:
    """How long to wait for a robot, seconds of wall time.

    server: for a controller to appear, and to answer a goal. margin: beyond a trajectory's own duration, for its
    result. cancel: for the confirmation of a stop. max_age: joint states may be silent.
    """

    server: float
    margin: float
    cancel: float
    max_age: float


class Controllers:
    """The action clients of arm and gripper and the sensors; made once per configuration, shared by all tasks."""

    def __init__(
        self,
        node: Node,
        arm_action: str,
        gripper_action: str,
        joints: Latest,
        driver: DriverCalls,
        *,
        wrench: Latest | None = None,
    ) -> None:
        """Create the clients on `node`. driver: what its services do. wrench: None without a sensor at the wrist."""
        self.arm = GoalClient(node, FollowJointTrajectory, arm_action)
        self.gripper = GoalClient(node, GripperCommand, gripper_action)
        self.arm_name = f"the arm controller {arm_action}"
        self.gripper_name = f"the gripper controller {gripper_action}"
        self.joints, self.driver, self.wrench = joints, driver, wrench
        # Younger than the action clients: a server that answers these has discovered those.
        self._results = {
            name: node.create_client(kind.Impl.GetResultService, f"{action}/_action/get_result")
            for name, kind, action in (
                (self.arm_name, FollowJointTrajectory, arm_action),
                (self.gripper_name, GripperCommand, gripper_action),
            )
        }

    def meet(self, timeout: float, stop: StopRequest) -> None:
        """Return when both controllers answer, or `stop` is requested; raises RobotError when time runs out.

        A goal sent to one that has not discovered this client yet would run, and nobody here be told of it.
        """
        self.wait_for_arm(timeout, stop)
        self.wait_for_gripper(timeout, stop)
        for name, client in self._results.items():
            _ask(client, name, timeout, stop)

    def wait_for_arm(self, timeout: float, stop: StopRequest) -> None:
        """Return when the arm's controller is there, or `stop` is requested; raises RobotError when time runs out."""
        _wait_for(self.arm, self.arm_name, timeout, stop)

    def wait_for_gripper(self, timeout: float, stop: StopRequest) -> None:
        """The same for the gripper's."""
        _wait_for(self.gripper, self.gripper_name, timeout, stop)


def _wait_for(client: GoalClient, name: str, timeout: float, stop: StopRequest) -> None:
    deadline = time.monotonic() + timeout
    while not client.server_is_ready():
        if stop.wait(_POLL_SECONDS):
            return
        if time.monotonic() > deadline:
            raise RobotError(f"{name} is not there: waited {timeout} s; start the robot's driver")


def _ask(client: Client, name: str, timeout: float, stop: StopRequest) -> None:
    """Ask for the result of a goal that never was, until there is an answer, whatever it is."""
    deadline = time.monotonic() + timeout
    while not stop.requested:
        future = client.call_async(client.srv_type.Request())
        if wait_for(future, _ASK_AGAIN, stop):
            return
        client.remove_pending_request(future)
        if time.monotonic() > deadline:
            raise RobotError(f"{name} does not answer: waited {timeout} s; is its node busy or frozen?")
