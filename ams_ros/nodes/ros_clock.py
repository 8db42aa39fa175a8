"""The time of the robot, for the task loop."""

from __future__ import annotations

from rclpy.node import Node

from ams_ros.supervision.clock import SteadyClock


class RosClock:
    """Simulated time when the node uses it, otherwise steady wall time, which nobody sets back."""

    def __init__(self, node: Node) -> None:
        """Read `use_sim_time` of the node once."""
        self._clock, self._steady = node.get_clock(), SteadyClock()
        self._simulated = bool(node.get_parameter("use_sim_time").value)

    def now(self) -> float:
        """Seconds since some fixed moment."""
        return self._clock.now().nanoseconds * 1e-9 if self._simulated else self._steady.now()
