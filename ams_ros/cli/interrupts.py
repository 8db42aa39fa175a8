"""Ctrl-C and SIGTERM as a question that is asked at safe moments, instead of an exception anywhere."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

from ams_ros.robot.stop_request import StopRequest


class Interrupts:
    """While entered, SIGINT and SIGTERM only set a flag. Must be entered in the main thread."""

    def __init__(self) -> None:
        """Start out with no signal received."""
        self.stop = StopRequest()
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interrupts:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned

    def check(self) -> None:
        """Raise KeyboardInterrupt when a signal came."""
        if self.stop.requested:
            raise KeyboardInterrupt(self.stop.reason)

    def _received(self, number: int, frame: FrameType | None) -> None:
        self.stop.request("Ctrl-C" if number == signal.SIGINT else "asked to terminate")
