"""A robot behind ROS: joint states in, trajectory and gripper goals out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory, GripperCommand
from rclpy.action import ActionClient
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from ams_ros.errors import RobotError
from ams_ros.nodes.conversions import joints_of, to_duration
from ams_ros.nodes.goal_call import GoalCall
from ams_ros.nodes.latest import Latest
from ams_ros.robot.stop_request import StopRequest
from ams_ros.robot.stretches import Stretch, cut_into_stretches
from ams_ros.supervision.protocols import Clock
from ams_ros.types import ActionSlice, Execution, JointSample

_POLL_SECONDS = 0.01
_ERROR_NAMES = {
    FollowJointTrajectory.Result.INVALID_GOAL: "INVALID_GOAL",
    FollowJointTrajectory.Result.INVALID_JOINTS: "INVALID_JOINTS",
    FollowJointTrajectory.Result.OLD_HEADER_TIMESTAMP: "OLD_HEADER_TIMESTAMP",
    FollowJointTrajectory.Result.PATH_TOLERANCE_VIOLATED: "PATH_TOLERANCE_VIOLATED",
    FollowJointTrajectory.Result.GOAL_TOLERANCE_VIOLATED: "GOAL_TOLERANCE_VIOLATED",
}


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

    def __init__(self, node: Node, arm_action: str, gripper_action: str, joints: Latest) -> None:
        """Create the clients on `node`."""
        self.arm = ActionClient(node, FollowJointTrajectory, arm_action)
        self.gripper = ActionClient(node, GripperCommand, gripper_action)
        self.arm_name = f"the arm controller {arm_action}"
        self.gripper_name = f"the gripper controller {gripper_action}"
        self.joints = joints


class RosRobot:
    """Implements robot.protocol.Robot for one task; its methods block and belong into the task's thread."""

    def __init__(
        self,
        controllers: Controllers,
        arm_joints: tuple[str, ...],
        gripper_joint: str,
        limits: RobotLimits,
        clock: Clock,
    ) -> None:
        """clock: the robot's time, in which trajectories run."""
        self._controllers, self._limits, self._clock = controllers, limits, clock
        self._arm_joints = arm_joints
        self._joint_names = (*arm_joints, gripper_joint)
        self._commanded: float | None = None
        self._gripper_goal: GoalCall | None = None

    def joints(self) -> JointSample:
        """The latest arm joints and, last, the gripper joint; raises RobotError when they are silent or incomplete."""
        latest = self._controllers.joints
        while (silence := latest.silence(self._limits.max_age)) is None and latest.message is None:
            time.sleep(_POLL_SECONDS)
        if silence is not None:
            raise RobotError(silence)
        return joints_of(latest.message, self._joint_names)

    def execute(self, action_slice: ActionSlice, stop: StopRequest) -> Execution:
        """Run the slice as one goal per stretch of equal gripper target; see the protocol."""
        for client, name in (
            (self._controllers.arm, self._controllers.arm_name),
            (self._controllers.gripper, self._controllers.gripper_name),
        ):
            self._wait_for_server(client, name, stop)
        execution = Execution(0, False)
        try:
            execution = self._run_all(action_slice, stop)
        finally:
            if not execution.completed:
                self._halt_gripper()
        return execution

    def _run_all(self, action_slice: ActionSlice, stop: StopRequest) -> Execution:
        steps = 0
        for stretch in cut_into_stretches(action_slice, self._commanded):
            if stop.requested:
                return Execution(steps, False, stop.reason)
            part = self._run(stretch, action_slice.period, stop)
            steps += part.steps
            if not part.completed:
                return Execution(steps, False, part.message)
        return Execution(steps, True)

    def _wait_for_server(self, client: ActionClient, name: str, stop: StopRequest) -> None:
        deadline = time.monotonic() + self._limits.server
        while not client.server_is_ready():
            if stop.wait(_POLL_SECONDS):
                return
            if time.monotonic() > deadline:
                raise RobotError(f"{name} is not there: waited {self._limits.server} s; start the robot's driver")

    def _run(self, stretch: Stretch, period: float, stop: StopRequest) -> Execution:
        if stretch.gripper is not None:
            self._command_gripper(stretch.gripper, stop)
            if stop.requested:
                return Execution(0, False, stop.reason)
        goal = GoalCall(self._controllers.arm, self._trajectory(stretch, period), self._controllers.arm_name)
        if not goal.accept(self._limits.server, stop):
            goal.cancel(self._limits.cancel)
            return Execution(0, False, stop.reason)
        started = self._clock.now()
        timeout = stretch.steps * period + self._limits.margin
        response = goal.end(timeout, stop)
        if response is not None and response.status == GoalStatus.STATUS_SUCCEEDED:
            return Execution(stretch.steps, True)
        steps = max(0, min(stretch.steps, int((self._clock.now() - started) / period)))
        if response is None:
            goal.cancel(self._limits.cancel)
            if stop.requested:
                return Execution(steps, False, stop.reason)
            raise RobotError(
                f"{self._controllers.arm_name} gave no result within {timeout:.2f} s for a trajectory of "
                f"{stretch.steps * period:.2f} s; it was canceled"
            )
        return Execution(steps, False, self._ending(response))

    def _ending(self, response: Any) -> str:
        result = response.result
        status = {GoalStatus.STATUS_CANCELED: "canceled", GoalStatus.STATUS_ABORTED: "aborted"}
        how = status.get(response.status, f"ended with status {response.status}")
        why = " ".join(filter(None, (_ERROR_NAMES.get(result.error_code, ""), result.error_string)))
        return f"{self._controllers.arm_name} {how} the trajectory{': ' if why else ''}{why}"

    def _trajectory(self, stretch: Stretch, period: float) -> FollowJointTrajectory.Goal:
        points = [
            JointTrajectoryPoint(positions=row.tolist(), time_from_start=to_duration((index + 1) * period))
            for index, row in enumerate(stretch.joints)
        ]
        return FollowJointTrajectory.Goal(trajectory=JointTrajectory(joint_names=list(self._arm_joints), points=points))

    def _command_gripper(self, target: float, stop: StopRequest) -> None:
        command = GripperCommand.Goal()
        command.command.position = target
        goal = GoalCall(self._controllers.gripper, command, self._controllers.gripper_name)
        self._gripper_goal, self._commanded = goal, target
        goal.accept(self._limits.server, stop)

    def _halt_gripper(self) -> None:
        """Cancel a gripper goal under way; one that has ended keeps its grip."""
        if self._gripper_goal is not None:
            self._gripper_goal.cancel(self._limits.cancel)
        self._gripper_goal, self._commanded = None, None
