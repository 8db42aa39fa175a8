"""Cutting a recording where one task ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterator

from ams_ros.errors import ConfigurationError
from ams_ros.exception.calibration.run import Arrived, Begun, Ended, Run, RunEvent
from ams_ros.exception.plan import Purpose

PAUSE = 5.0
"""s without any goal between two tasks. Between the slices of one task there is an inference, which is shorter."""

LONGEST = 1_000_000
"""Samples of one run: more than an hour of joint states and wrenches at 100 Hz each, or 8 minutes at 1 kHz; 600 MB."""


class RunSplitter:
    """Takes the events of a recording and gives whole runs.

    A task begins where the number of the announced slice falls, and after PAUSE seconds without a goal. The idle time
    between two tasks is halved, so that each run begins with the arm at rest, when a wrench sensor's offset is taken.
    """

    def __init__(self, recording: str) -> None:
        """recording: for names of runs and complaints."""
        self._recording, self._number = recording, 1
        self._events: list[RunEvent] = []
        self._ended: int | None = None
        self._goals = False
        self._slice = -1

    def take(self, event: RunEvent) -> Iterator[Run]:
        """Take an event; gives the run it ends, if it does."""
        if len(self._events) >= LONGEST:
            allowed = f"runs of at most {LONGEST} samples, apart by {PAUSE:g} s without a goal"
            raise ConfigurationError(self._recording, "a longer run", allowed)
        if isinstance(event, Begun):
            if self._ended is not None and (self._paused() or self._falls(event)):
                yield self._cut(self._ended + (len(self._events) - self._ended) // 2)
            if event.plan is not None and event.plan.purpose is Purpose.TASK:
                self._slice = event.plan.slice
            self._goals, self._ended = True, None
        self._events.append(event)
        if isinstance(event, Ended):
            self._ended = len(self._events)

    def rest(self) -> Iterator[Run]:
        """Give the last run, at the recording's end."""
        if self._events and (self._goals or self._number == 1):
            yield self._cut(len(self._events))

    def _paused(self) -> bool:
        assert self._ended is not None
        idle = [event.arrival for event in self._events[self._ended :] if isinstance(event, Arrived)]
        return len(idle) > 1 and idle[-1] - idle[0] >= PAUSE

    def _falls(self, begun: Begun) -> bool:
        return begun.plan is not None and begun.plan.purpose is Purpose.TASK and begun.plan.slice < self._slice

    def _cut(self, place: int) -> Run:
        run = Run(f"{self._recording} ({self._number})", tuple(self._events[:place]))
        self._events, self._ended, self._slice = self._events[place:], None, -1
        self._number, self._goals = self._number + 1, False
        return run
