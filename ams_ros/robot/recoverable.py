"""What recovery needs of a robot beyond executing slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ams_ros.robot.protocol import Robot
from ams_ros.robot.stop_request import StopRequest
from ams_ros.types import ActionException, Execution, Float64Array, JointSample, WrenchSample


class RecoverableRobot(Robot, Protocol):
    """A robot with an exception monitor in front of it.

    While a stop is in force nothing moves it but what follows `release`. All methods block and raise RobotError when
    robot or monitor do not answer.
    """

    def listen(self, listener: Callable[[JointSample], None]) -> None:
        """Have `listener` called with every joint sample (arm joints, then the gripper).

        In any thread; it must be quick.
        """
        ...

    def listen_wrench(self, listener: Callable[[WrenchSample], None]) -> None:
        """The same with every sample of the wrist sensor; a robot without one never calls."""
        ...

    def release(self, exception: ActionException, *, recovery: bool) -> ActionException | None:
        """Lift the stop of `exception`: for recovery motions only, watched at reduced thresholds, or for good.

        Returns None once it is lifted. Where another exception has come up since, nothing is lifted and that one is
        returned, its stop at its end: it is to be decided about first. Raises RobotError when a person must acknowledge
        `exception`, or the stop cannot be lifted for another reason.
        """
        ...

    def follow(self, joints: Float64Array, period: float, stop: StopRequest) -> Execution:
        """Run a recovery motion or a way back to the start pose, (steps, dof) rad, row k at (k + 1) * period s.

        As `execute` does a slice.

        `exception` of the result is set when the monitor stopped this motion too.
        """
        ...

    def restart(self, stop: StopRequest) -> None:
        """Go through the driver's restart steps.

        Raises RobotError, with what a person must do, when they fail or when the driver has none.
        """
        ...
