"""Requests that one thread answers in turn, while the executor goes on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ams_ros.robot.stop_request import StopRequest


@dataclass(frozen=True, slots=True)
class Job:
    """One request. Exactly one of the two is called, or `refuse` after a `run` that raised.

    run: does what was asked and answers. refuse: answers that it will not be done, and why.
    """

    run: Callable[[StopRequest], None]
    refuse: Callable[[str], None]


class WorkLane:
    """A bounded queue and the loop that empties it; closed until `open`."""

    def __init__(self, maximum_waiting: int, busy: str) -> None:
        """maximum_waiting: jobs that may wait. busy: what one is told for which there is no room."""
        self._waiting: queue.Queue[Job] = queue.Queue(maximum_waiting)
        self._busy = busy
        self._open = False
        # So that no job slips into the queue after `close` has emptied it.
        self._lock = threading.Lock()

    def open(self) -> None:
        """Take jobs from now on."""
        with self._lock:
            self._open = True

    def close(self, reason: str) -> None:
        """Refuse what waits, for `reason`, and take no more; the job that runs is left to end."""
        with self._lock:
            self._open = False
            waiting = []
            while (job := self._next(0.0)) is not None:
                waiting.append(job)
        for job in waiting:
            job.refuse(reason)

    def take(self, job: Job, closed: str) -> None:
        """Queue a job or refuse it, with the words `closed` where that is the reason; returns at once."""
        with self._lock:
            taken = self._open and not self._waiting.full()
            if taken:
                self._waiting.put_nowait(job)
            reason = self._busy if self._open else closed
        if not taken:
            job.refuse(reason)

    def work(self, stop: StopRequest) -> None:
        """The loop of the thread: run one job after another until `stop`."""
        while not stop.requested:
            job = self._next(0.2)
            if job is None:
                continue
            try:
                job.run(stop)
            except BaseException as error:
                # The client must not wait in vain for an answer that this dying thread owes.
                job.refuse(f"failed: {type(error).__name__}: {error}")
                raise

    def _next(self, seconds: float) -> Job | None:
        try:
            return self._waiting.get(timeout=seconds) if seconds else self._waiting.get_nowait()
        except queue.Empty:
            return None
