"""What a stop ladder acts through."""

from __future__ import annotations

from typing import Protocol

from ams_ros.robot.driver import StopStep
from ams_ros.types import Float64Array


class StopActuator(Protocol):
    """Hands stop requests over and returns at once.

    None of these waits, logs or allocates what is large. The answer comes later, as
    `ExceptionGuard.stop_answered(stage, accepted, message, now)`.
    """

    def cancel_all(self) -> None:
        """Ask the arm's controller to cancel every goal it has, whoever sent it."""
        ...

    def hold(self, position: Float64Array) -> None:
        """Send the arm's controller a goal to stay at `position` (dof,) rad."""
        ...

    def call(self, step: StopStep) -> None:
        """Call the service of a DRIVER_STOP or DEACTIVATE rung."""
        ...
