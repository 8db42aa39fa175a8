"""What a stop ladder acts through."""

from __future__ import annotations

from typing import Protocol

from ams_ros.robot.driver import StopStep
from ams_ros.types import Float64Array


class StopActuator(Protocol):
    """Hands stop requests over and returns at once.

    None of these waits, logs or allocates what is large; what cannot be handed over raises RobotError. The answer comes
    later, as `ExceptionGuard.stop_answered(stage, accepted, message, now)`. An answer to a request that a newer one of
    the same stage has followed is not reported, as it would pass for the newer one's.
    """

    def cancel_all(self) -> None:
        """Ask the arm's controller to cancel every goal it has, whoever sent it."""
        ...

    def hold(self, position: Float64Array) -> None:
        """Send the arm's controller a goal to stay at `position` (dof,) rad; it is not told to the guard as a goal."""
        ...

    def call(self, step: StopStep) -> None:
        """Call the service of a DRIVER_STOP or DEACTIVATE rung."""
        ...
