"""Leases: for how long a reader may read what it was pointed to (spec C6: in use is never moved)."""

from __future__ import annotations

import heapq
import math
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ams_ros.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Lease:
    """A promise that what was leased stays in place until `deadline`, s on CLOCK_MONOTONIC, which a machine shares."""

    number: int
    deadline: float


class LeaseTable:
    """Who may still be reading what. The holder of the table lets go what `release` and `expired` return, each once.

    What the ids stand for is the holder's business.

    May be used from any thread. Numbers start at random, so that one of an earlier process is not taken for ours.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: CLOCK_MONOTONIC, s, the one that readers compare the deadline with."""
        self._clock = clock
        self._next = secrets.randbits(48) + 1
        self._ids: dict[int, tuple[int, ...]] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many are out."""
        return len(self._ids)

    def grant(self, ids: Sequence[int], seconds: float) -> Lease:
        """A lease on at least one id. seconds: above 0 and finite; raises ConfigurationError otherwise."""
        if not ids:
            raise ConfigurationError("lease", ids, "at least one id")
        if not (math.isfinite(seconds) and seconds > 0.0):
            raise ConfigurationError("lease_seconds", seconds, "above 0 s")
        with self._lock:
            lease = Lease(self._next, self._clock() + seconds)
            self._next += 1
            self._ids[lease.number] = tuple(ids)
            heapq.heappush(self._deadlines, (lease.deadline, lease.number))
        return lease

    def release(self, number: int) -> tuple[int, ...]:
        """End a lease early: the ids to let go; none when it has ended already or there never was one."""
        with self._lock:
            ids = self._ids.pop(number, ())
            self._strike_ended()
        return ids

    def expired(self, now: float | None = None) -> tuple[int, ...]:
        """End all leases whose deadline has passed: the ids to let go, each as often as it was leased."""
        with self._lock:
            now = self._clock() if now is None else now
            ids: list[int] = []
            while self._deadlines and self._deadlines[0][0] < now:
                ids.extend(self._ids.pop(heapq.heappop(self._deadlines)[1], ()))
        return tuple(ids)

    def end_all(self) -> tuple[int, ...]:
        """End every lease, for when the memory goes away as a whole: the ids to let go."""
        return self.expired(math.inf)

    def _strike_ended(self) -> None:
        """Keep the deadlines of released leases from piling up: at most as many as there are leases, and a few."""
        if len(self._deadlines) > 2 * len(self._ids) + 64:
            self._deadlines = [each for each in self._deadlines if each[1] in self._ids]
            heapq.heapify(self._deadlines)
