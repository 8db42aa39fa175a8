"""A short-lived ROS node for the command line, whose every wait has an end and names who did not answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from ams_ros.errors import RobotError

TICK = 0.1
"""Seconds between two calls of a session's `watch` while it waits."""

DISCOVERY_SECONDS = 5.0
"""What is there already may be found this late on a busy machine."""


def nothing() -> None:
    """Watch nothing."""


class RosSession:
    """A node, its executor, and bounded waits; everything happens in the calling thread.

    watch: called at least every TICK seconds during a wait; what it raises ends the wait (a node that died, Ctrl-C).
    """

    def __init__(self, watch: Callable[[], None] = nothing) -> None:
        """Join the ROS domain of this process."""
        self.watch = watch
        self._context = Context()
        rclpy.init(
            args=["--ros-args", "--disable-external-lib-logs", "--disable-rosout-logs"],
            context=self._context,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.node = rclpy.create_node(
            f"ams_command_line_{os.getpid()}",
            context=self._context,
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._executor = EventsExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> RosSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the domain; everything the session made is gone then."""
        # Action clients are not destroyed with their node, and one of them keeps the whole DDS participant alive.
        for waitable in list(self.node.waitables):
            waitable.destroy()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def spin(self, seconds: float) -> None:
        """Handle what arrives during `seconds`."""
        self.wait(Future(), seconds)

    def wait(self, future: Future[Any], timeout: float) -> bool:
        """Handle what arrives until the future is done or `timeout` seconds are over; returns whether it is done."""
        deadline = time.monotonic() + timeout
        while not future.done():
            self.watch()
            left = deadline - time.monotonic()
            if left <= 0.0:
                return False
            self._executor.spin_until_future_complete(future, timeout_sec=min(TICK, left))
        return True

    def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Handle what arrives until the condition holds or `timeout` seconds are over; returns whether it holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.spin(TICK)
        return True

    def offered(self, service_type: Any, name: str, timeout: float) -> bool:
        """Whether somebody offers the service, waited for up to `timeout` seconds."""
        return self.until(self._client(service_type, name).service_is_ready, timeout)

    def call(self, service_type: Any, name: str, request: Any, timeout: float, mend: str) -> Any:
        """Call a service and return its response.

        Raises RobotError, ending in `mend`, when nobody offers it within 5 s or no answer comes within `timeout`.
        """
        client = self._client(service_type, name)
        if not self.until(client.service_is_ready, 5.0):
            raise RobotError(f"nobody offers {name}: {mend}")
        future = client.call_async(request)
        if not self.wait(future, timeout):
            client.remove_pending_request(future)
            raise RobotError(f"{name} did not answer within {timeout:g} s: {mend}")
        return future.result()

    def _client(self, service_type: Any, name: str) -> Any:
        if name not in self._clients:
            self._clients[name] = self.node.create_client(service_type, name)
        return self._clients[name]
