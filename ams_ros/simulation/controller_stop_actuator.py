"""The stop actuator of the robot in one process: requests reach its controllers after a latency, as over ROS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ams_ros.robot.driver import StopStep
from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.faults.fault import CANCELS, GOALS
from ams_ros.simulation.tolerances import ToleranceRequest
from ams_ros.simulation.trajectory import Trajectory, Waypoint
from ams_ros.simulation.trajectory_controller import TICK
from ams_ros.types import Float64Array, StopStage

_HOLD_SECONDS = 0.1
"""A controller refuses a goal that takes no time."""

_AWAY = "the driver does not answer"

Answered = Callable[[StopStage, bool, str], None]
"""Takes the stage a request belonged to, whether it was accepted, and why not."""


@dataclass(frozen=True, slots=True)
class _Request:
    stage: StopStage
    due: float
    carry_out: Callable[[], str]


class ControllerStopActuator:
    """Implements robot.stop_actuator.StopActuator in simulation time."""

    def __init__(self, loop: ControlLoop, latency: float, answered: Answered) -> None:
        """latency: s of simulation time from a request to its answer. answered: called from `deliver`."""
        self._loop, self._latency, self._answered = loop, latency, answered
        self._requests: list[_Request] = []

    def cancel_all(self) -> None:
        """Ask the arm's controller to cancel its goal."""
        self._ask(StopStage.CANCEL, self._cancel)

    def hold(self, position: Float64Array) -> None:
        """Send the arm's controller a goal to stay at `position` (dof,) rad."""
        self._ask(StopStage.HOLD, lambda: self._hold(position))

    def call(self, step: StopStep) -> None:
        """The driver's own stop, or its deactivation."""
        self._ask(step.stage, self._stop if step.stage is StopStage.DRIVER_STOP else self._deactivate)

    def deliver(self) -> None:
        """Let what is due now arrive at the controllers, and tell the answers of the newest request of each stage."""
        if not self._requests:
            return
        now = self._loop.plant.time
        due = [request for request in self._requests if now >= request.due - TICK]
        self._requests = [request for request in self._requests if now < request.due - TICK]
        for request in due:
            refusal = request.carry_out()
            if not any(later.stage is request.stage for later in self._requests):
                self._answered(request.stage, not refusal, refusal)

    def _ask(self, stage: StopStage, carry_out: Callable[[], str]) -> None:
        self._requests.append(_Request(stage, self._loop.plant.time + self._latency, carry_out))

    # What follows returns why it was refused.

    def _cancel(self) -> str:
        if self._loop.refuses(CANCELS):
            return _AWAY if self._loop.gone else "the controller refused"
        if self._loop.arm.goal is not None:
            self._loop.cancel_arm(self._loop.arm.goal)
        return ""

    def _hold(self, position: Float64Array) -> str:
        arm, now = self._loop.arm, self._loop.plant.time
        if self._loop.refuses(GOALS):
            return _AWAY if self._loop.gone else "the controller refused the goal to hold its position"
        trajectory = Trajectory(arm.settings.joint_names, (Waypoint(_HOLD_SECONDS, position),))
        reason = arm.reason_to_reject(trajectory, now)
        if reason is None:
            arm.accept(trajectory, ToleranceRequest(), now)
        return reason or ""

    def _stop(self) -> str:
        if not self._loop.arm.active:
            return _AWAY
        self._loop.stop()
        return ""

    def _deactivate(self) -> str:
        if self._loop.gone:
            return _AWAY
        self._loop.deactivate("Goal ended because the controller was deactivated.")
        return ""
