"""Handing a result from a thread to a coroutine that waits on the executor."""

from __future__ import annotations

from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.task import Future


class Handoff:
    """Futures that threads complete and coroutines on the executor await.

    The EventsExecutor looks at a waiting coroutine again only when one of its entities becomes ready; completing a
    future is not such an event. A timer is: resetting one from the completing thread wakes the coroutine after its
    half millisecond, and while nobody is waiting it costs nothing.
    """

    def __init__(self, node: Node) -> None:
        """Create the sleeping timer on `node`; the node's teardown destroys it."""
        self._timer = node.create_timer(
            0.0005, self._sleep_again, clock=Clock(clock_type=ClockType.STEADY_TIME), autostart=False
        )

    def future(self) -> Future:
        """A future for `await`."""
        return Future()

    def resolve(self, future: Future, result: Any) -> None:
        """Complete `future` with `result` and wake whoever awaits it; from any thread."""
        future.set_result(result)
        self._timer.reset()

    def _sleep_again(self) -> None:
        self._timer.cancel()
