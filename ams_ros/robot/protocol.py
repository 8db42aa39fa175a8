"""What the task loop needs of a robot."""

from __future__ import annotations

from typing import Protocol

from ams_ros.robot.stop_request import StopRequest
from ams_ros.types import ActionSlice, Execution, JointSample


class Robot(Protocol):
    """An arm with a gripper that runs action slices."""

    def joints(self) -> JointSample:
        """The latest measured arm joints and, last, the gripper joint.

        Raises RobotError when there is none or the latest is stale.
        """
        ...

    def execute(self, action_slice: ActionSlice, stop: StopRequest) -> Execution:
        """Run all steps of the slice and return when they are done, or soon after `stop` is requested.

        On any early return the motion was stopped first and the robot holds still. Raises RobotError when the
        controller is absent or refuses the trajectory.
        """
        ...
