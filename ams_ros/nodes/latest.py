"""The newest message of a topic, and how long the topic has been silent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from ams_ros.nodes.conversions import seconds_of

# Best effort also hears reliable publishers, and depth 1 means latest wins.
_LATEST_WINS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)

_DISCOVERY_SECONDS = 5.0
"""A publisher that is there already may be found this late on a busy machine."""


class Latest:
    """Keeps the newest message with a header of one topic; readable from any thread.

    Age counts from arrival, on the steady clock: a sensor whose own clock is wrong, or a simulation that stands still,
    cannot make an old message look fresh.
    """

    def __init__(self, node: Node, kind: type[Any], topic: str, what: str) -> None:
        """Subscribe. what: names the source in error messages, such as "camera front"."""
        self._what, self.topic = what, topic
        self._since = time.monotonic()
        # Replaced as one, so that a reader never sees a message with another one's time of arrival.
        self._newest: tuple[Any, float] | None = None
        self._listeners: list[Callable[[Any], None]] = []
        node.create_subscription(kind, topic, self._keep, _LATEST_WINS)

    def listen(self, listener: Callable[[Any], None]) -> None:
        """Have `listener` called with every message, on the executor's thread; it must be quick."""
        self._listeners.append(listener)

    @property
    def message(self) -> Any:
        """The newest message, None before the first."""
        return self._newest[0] if self._newest is not None else None

    @property
    def stamp(self) -> float:
        """Header stamp of the newest message, s; minus infinity before the first."""
        return seconds_of(self.message.header.stamp) if self._newest is not None else -float("inf")

    def silence(self, max_age: float) -> str | None:
        """A sentence when nothing arrived for more than `max_age` seconds, None when all is well."""
        if self._newest is None:
            waited = time.monotonic() - self._since
            if waited <= max(max_age, _DISCOVERY_SECONDS):
                return None
            return f"silent: {self._what}, nothing came on {self.topic} in {waited:.1f} s"
        age = time.monotonic() - self._newest[1]
        if age <= max_age:
            return None
        return f"silent: {self._what}, the last message on {self.topic} came {age:.1f} s ago, allowed are {max_age} s"

    def _keep(self, message: Any) -> None:
        self._newest = (message, time.monotonic())
        for listener in self._listeners:
            listener(message)
