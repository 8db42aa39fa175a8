"""A request to stop, made from any thread, that remembers who asked first."""

from __future__ import annotations

import threading


class StopRequest:
    """Set once; the first reason stays, later ones are ignored."""

    def __init__(self) -> None:
        """Start out not requested."""
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reason = ""

    def request(self, reason: str) -> None:
        """Ask to stop, for `reason`."""
        with self._lock:
            if not self._event.is_set():
                self._reason = reason
                self._event.set()

    @property
    def requested(self) -> bool:
        """Whether anybody asked."""
        return self._event.is_set()

    @property
    def reason(self) -> str:
        """The first reason given; empty while not requested."""
        return self._reason

    def wait(self, timeout: float) -> bool:
        """Block up to `timeout` seconds until requested; returns whether it is."""
        return self._event.wait(timeout)
