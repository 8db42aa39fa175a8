"""The clock a task is measured with when time is not simulated."""

from __future__ import annotations

import time


class SteadyClock:
    """Seconds of wall time; never runs backwards."""

    def now(self) -> float:
        """Seconds since some fixed moment."""
        return time.perf_counter()
