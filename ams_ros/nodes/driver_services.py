"""What a driver offers beside its actions, stop and restart, and what only a simulated one has: faults."""

from __future__ import annotations

from typing import Any

from std_srvs.srv import Trigger

from ams_ros.errors import ConfigurationError
from ams_ros.nodes.deferred_service import Accept, Reply, defer_replies, not_called
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.plant_thread import PlantThread
from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.faults.fault import FAULTS, Fault
from ams_ros.srv import InjectFault

_NO_FAULTS = "none"


class DriverServices:
    """~/stop, ~/restart and ~/inject_fault of the simulated robot, answered from the plant's thread."""

    def __init__(self, node: AmsNode, thread: PlantThread) -> None:
        """Offer them; they end with the node's other services."""
        self._thread = thread
        accepts: tuple[tuple[type[Any], str, Accept], ...] = (
            (Trigger, "~/stop", self._stop),
            (Trigger, "~/restart", self._restart),
            (InjectFault, "~/inject_fault", self._inject),
        )
        for kind, name, accept in accepts:
            defer_replies(node.create_service(kind, name, not_called), accept)

    def _stop(self, request: Any, response: Any, reply: Reply) -> None:
        def stop(loop: ControlLoop) -> None:
            response.success = loop.arm.active
            if response.success:
                loop.stop()
            else:
                response.message = "the driver is restarting, or the node is not active"
            reply(response)

        self._thread.post(stop)

    def _restart(self, request: Any, response: Any, reply: Reply) -> None:
        def back() -> None:
            response.success = True
            reply(response)

        def restart(loop: ControlLoop) -> None:
            if self._thread.running:
                loop.restart(back)
            else:
                response.success, response.message = False, "the node is not active"
                reply(response)

        self._thread.post(restart)

    def _inject(self, request: Any, response: Any, reply: Reply) -> None:
        fault = Fault(request.fault, request.onset, request.duration, request.magnitude, request.target)

        def inject(loop: ControlLoop) -> None:
            try:
                if fault.name == _NO_FAULTS:
                    loop.end_faults()
                elif fault.name not in FAULTS:
                    raise ConfigurationError("fault", fault.name, ", ".join((*FAULTS, _NO_FAULTS)))
                elif not self._thread.running:
                    raise ConfigurationError("fault", fault.name, "none while the node is not active")
                else:
                    loop.faults.add(fault, loop.plant.time)
            except ConfigurationError as error:
                response.success, response.message = False, str(error)
            else:
                response.success = True
            reply(response)

        self._thread.post(inject)
