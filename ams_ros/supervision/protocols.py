"""What the task loop is given besides a robot."""

from __future__ import annotations

from typing import Protocol

from ams_ros.robot.stop_request import StopRequest
from ams_ros.types import ActionException, Inference, SliceRequest


class SliceSource(Protocol):
    """Where slices come from: the inference node over ROS, or a policy in the same process."""

    def infer(self, request: SliceRequest) -> Inference:
        """Infer one slice from the freshest observation.

        Raises InferenceError when none can be had now, ConfigurationError when the instruction cannot be served.
        """
        ...


class Clock(Protocol):
    """The time a task is measured in."""

    def now(self) -> float:
        """Seconds since some fixed moment; never runs backwards while a task runs."""
        ...


class Recovery(Protocol):
    """What brings the robot back after an exception."""

    @property
    def further(self) -> int:
        """Exceptions that came up during the last `handle`, besides the one it was called with."""
        ...

    def begin_task(self) -> None:
        """A task begins where the robot is now. Raises RobotError when it cannot tell where that is."""
        ...

    def slice_began(self) -> None:
        """A slice is about to be executed."""
        ...

    def handle(self, exception: ActionException, stop: StopRequest) -> str | None:
        """Bring the robot to where inference can begin afresh, or give up soon after `stop` is requested.

        Returns None, or why the task ends with the robot holding still and what a person must do. Gives up at the
        latest after a bounded number of exceptions in one task. Raises RobotError when it is not known whether the
        robot holds still.
        """
        ...
