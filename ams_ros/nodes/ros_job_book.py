"""How attempts went, told to the context pool's node (spec R4)."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

from rclpy.node import Node

from ams_ros.context.records import ContextOutcome
from ams_ros.nodes.goal_call import wait_for
from ams_ros.robot.stop_request import StopRequest
from ams_ros.srv import SetOutcome

MAXIMUM_WAITING = 64
"""Marks that wait for the pool; beyond them the oldest is given up."""
PATIENCE = 30.0
"""So long a mark waits for a pool that is away, s: a killed one is back sooner."""
DRAIN_SECONDS = 2.0
"""Longest that `work` goes on telling after it was told to stop; less than a node waits for its threads."""
_IDLE = 0.02


class _Mark(NamedTuple):
    episode: str
    outcome: ContextOutcome
    until: float


class RosJobBook:
    """Implements replay.progress.JobBook by the service ~/set_outcome of a context_pool node.

    `succeeded` and `failed` return at once; `work`, the loop of a background thread, tells the pool, in order. The
    pool gives an episode's outcome to those of its contexts, too, that reach it after the mark, so nobody has to wait
    for them here. That the pool is away is logged once, and once that it is back.
    """

    def __init__(self, node: Node, pool: str, timeout: float) -> None:
        """pool: name of its node. timeout: s, of one call; the pool writes a success to disk before it answers."""
        self._log = node.get_logger()
        self._client = node.create_client(SetOutcome, f"{pool}/set_outcome")
        self._pool, self._timeout = pool, timeout
        # Appended to by the task's thread and taken from by that of `work`; both are atomic.
        self._waiting: deque[_Mark] = deque(maxlen=MAXIMUM_WAITING)
        self._away = False

    def succeeded(self, episode: str) -> None:
        """As JobBook."""
        self._waiting.append(_Mark(episode, ContextOutcome.SUCCEEDED, time.monotonic() + PATIENCE))

    def failed(self, episode: str) -> None:
        """As JobBook."""
        self._waiting.append(_Mark(episode, ContextOutcome.FAILED, time.monotonic() + PATIENCE))

    def work(self, stop: StopRequest) -> None:
        """The loop of the background thread; when told to stop it tells what still waits, for a moment."""
        while not stop.wait(_IDLE):
            self._tell_waiting(stop)
        ending = StopRequest()
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._waiting and time.monotonic() < deadline and self._client.service_is_ready():
            self._tell(self._waiting.popleft(), ending, deadline - time.monotonic())

    def _tell_waiting(self, stop: StopRequest) -> None:
        """Tell the pool what waits, as long as it answers; what waited too long is given up."""
        while self._waiting and not stop.requested:
            mark = self._waiting[0]
            if time.monotonic() > mark.until:
                self._log.info(f"attempt {mark.episode} was not marked {mark.outcome.value}: no pool to tell it to")
            elif not self._client.service_is_ready():
                self._note(away=True)
                return
            elif not self._tell(mark, stop, self._timeout):
                return
            # Where the queue ran over meanwhile, the first is another mark by now, and stays.
            if self._waiting and self._waiting[0] is mark:
                self._waiting.popleft()

    def _tell(self, mark: _Mark, stop: StopRequest, seconds: float) -> bool:
        """Tell one mark; whether the pool answered, be it with a no."""
        request = SetOutcome.Request(reference=mark.episode, outcome=mark.outcome.value)
        future = self._client.call_async(request)
        answered = wait_for(future, seconds, stop)
        if not answered:
            self._client.remove_pending_request(future)
        if not stop.requested or answered:
            self._note(away=not answered)
        if answered and not future.result().success:
            reason = future.result().message
            self._log.info(f"attempt {mark.episode} was not marked {mark.outcome.value}: {reason}")
        return answered

    def _note(self, away: bool) -> None:
        if away == self._away:
            return
        self._away = away
        if away:
            self._log.warning(f"the context pool {self._pool} does not answer: how attempts went waits to be told")
        else:
            self._log.info(f"the context pool {self._pool} answers: how attempts went is told")
