"""The time of the robot, for the task loop."""

from __future__ import annotations

import time

from rclpy.node import Node


class RosClock:
    """Simulated time when the node uses it, otherwise steady wall time, which nobody sets back."""

    def __init__(self, node: Node) -> None:
        """Read `use_sim_time` of the node once."""
        self._clock = node.get_clock()
        self._simulated = bool(node.get_parameter("use_sim_time").value)

    def now(self) -> float:
        """Seconds since some fixed moment."""
        return self._clock.now().nanoseconds * 1e-9 if self._simulated else time.monotonic()
