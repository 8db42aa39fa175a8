"""How the supervisor reaches a robot."""

from __future__ import annotations

import time
from dataclasses import dataclass

from control_msgs.action import FollowJointTrajectory, GripperCommand
from rclpy.action import ActionClient
from rclpy.node import Node

from ams_ros.errors import RobotError
from ams_ros.nodes.driver_calls import DriverCalls
from ams_ros.nodes.latest import Latest
from ams_ros.robot.stop_request import StopRequest

_POLL_SECONDS = 0.01


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
    """The action clients of arm and gripper and the joint states; made once per configuration, shared by all tasks."""

    def __init__(
        self,
        node: Node,
        arm_action: str,
        gripper_action: str,
        joints: Latest,
        driver: DriverCalls,
    ) -> None:
        """Create the clients on `node`. driver: what its services do."""
        self.arm = ActionClient(node, FollowJointTrajectory, arm_action)
        self.gripper = ActionClient(node, GripperCommand, gripper_action)
        self.arm_name = f"the arm controller {arm_action}"
        self.gripper_name = f"the gripper controller {gripper_action}"
        self.joints, self.driver = joints, driver

    def wait_for_arm(self, timeout: float, stop: StopRequest) -> None:
        """Return when the arm's controller is there, or `stop` is requested; raises RobotError when time runs out."""
        _wait_for(self.arm, self.arm_name, timeout, stop)

    def wait_for_gripper(self, timeout: float, stop: StopRequest) -> None:
        """The same for the gripper's."""
        _wait_for(self.gripper, self.gripper_name, timeout, stop)


def _wait_for(client: ActionClient, name: str, timeout: float, stop: StopRequest) -> None:
    deadline = time.monotonic() + timeout
    while not client.server_is_ready():
        if stop.wait(_POLL_SECONDS):
            return
        if time.monotonic() > deadline:
            raise RobotError(f"{name} is not there: waited {timeout} s; start the robot's driver")
