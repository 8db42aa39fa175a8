"""A thread whose death is noticed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ams_ros.errors import AmsError
from ams_ros.robot.stop_request import StopRequest


class SupervisedThread:
    """Runs a loop until it is asked to stop; ending earlier, by return or exception, counts as death."""

    def __init__(self, name: str, loop: Callable[[StopRequest], None], on_death: Callable[[str], None]) -> None:
        """Start `loop(stop)` at once; `on_death(reason)` is called in the dying thread."""
        self.name = name
        self._stop = StopRequest()
        self._loop, self._on_death = loop, on_death
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self, reason: str, timeout: float = 5.0) -> None:
        """Ask the loop to end and wait up to `timeout` seconds; raises AmsError when it does not end."""
        self._stop.request(reason)
        if self._thread is threading.current_thread():
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise AmsError(f"thread {self.name} did not end within {timeout} s after it was told: {reason}")

    def _run(self) -> None:
        try:
            self._loop(self._stop)
        except Exception as error:  # whatever it is, the node must hear of it
            self._on_death(f"thread {self.name} died: {type(error).__name__}: {error}")
            return
        if not self._stop.requested:
            self._on_death(f"thread {self.name} ended without being asked to")
