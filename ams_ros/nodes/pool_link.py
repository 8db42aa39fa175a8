"""The context pool as another node sees it: whether it is there, and calls to it that end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from ams_ros.context.reuse.guarded_store import ABSENT, CONNECTED
from ams_ros.nodes.goal_call import wait_for
from ams_ros.nodes.lifecycle import LATCHED
from ams_ros.srv import QueryContexts

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0


class PoolLink:
    """Follows the pool's `~/status` and notices calls that are not answered.

    After one of those the pool counts as absent and nobody waits for it any more; `look_again`, called now and then by
    a background thread, asks it after pauses that grow. A pool that is started anew tells so itself.
    """

    def __init__(self, node: Node, pool: str, timeout: float, on_change: Callable[[str], None]) -> None:
        """pool: name of its node. timeout: s, of a call. on_change: told every new state, from any thread."""
        self._timeout, self._on_change = timeout, on_change
        self._lock = threading.Lock()
        self._silent = True
        self._pool_state = "unconfigured"
        self._told = ""
        # Time to be discovered, before its absence is news.
        self._next_look, self._pause = time.monotonic() + _FIRST_PAUSE, _FIRST_PAUSE
        self.values: dict[str, str] = {}
        """What the pool's status says beside its state: names of its shared memory."""
        self.query = node.create_client(QueryContexts, f"{pool}/query")
        node.create_subscription(DiagnosticStatus, f"{pool}/status", self._hear, LATCHED)

    @property
    def state(self) -> str:
        """connected, absent, or the lifecycle state the pool is in instead of active."""
        with self._lock:
            return self._state()

    def call(self, client: Client, request: Any) -> Any | None:
        """The response, or None when the pool is away or does not answer in time; blocks, never on the executor."""
        return self._ask(client, request) if self.state == CONNECTED else None

    def call_patiently(self, client: Client, request: Any, longest: float) -> Any | None:
        """As `call`, for what takes its time: the pool is away only when it does not answer a plain question either.

        longest: s; None after that, even from a pool that is there.
        """
        if self.state != CONNECTED:
            return None
        future, deadline = client.call_async(request), time.monotonic() + longest
        while not wait_for(future, self._timeout):
            if time.monotonic() > deadline or not self._answers():
                client.remove_pending_request(future)
                return None
        return future.result()

    def send(self, client: Client, request: Any) -> Future:
        """Ask without waiting; the answer, if it ever comes, is nobody's."""
        future = client.call_async(request)
        # Forgotten at once, or a pool that never answers would leave it in the client's list for ever.
        client.remove_pending_request(future)
        return future

    def look_again(self) -> None:
        """Ask a silent pool whether it is there, unless that was done a moment ago; blocks for one timeout."""
        if not self._silent or time.monotonic() < self._next_look:
            return
        if self.query.service_is_ready() and self._answers():
            return
        self._note(silent=True)
        self._next_look = time.monotonic() + self._pause
        self._pause = min(2.0 * self._pause, _LONGEST_PAUSE)

    def _answers(self) -> bool:
        # An empty query is refused, and whoever refuses is there.
        return self._ask(self.query, QueryContexts.Request()) is not None

    def _ask(self, client: Client, request: Any) -> Any | None:
        future = client.call_async(request)
        answered = wait_for(future, self._timeout)
        if not answered:
            client.remove_pending_request(future)
        self._note(silent=not answered)
        return future.result() if answered else None

    def _hear(self, status: DiagnosticStatus) -> None:
        values = {each.key: each.value for each in status.values}
        with self._lock:
            self._pool_state = values.get("state", "unconfigured")
            self.values = values
        self._note(silent=False)

    def _note(self, silent: bool) -> None:
        with self._lock:
            self._silent = silent
            if not silent:
                self._pause = _FIRST_PAUSE
            state, before = self._state(), self._told
            self._told = state
        if state != before:
            self._on_change(state)

    def _state(self) -> str:
        if self._silent:
            return ABSENT
        return CONNECTED if self._pool_state == "active" else self._pool_state
