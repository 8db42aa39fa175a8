"""Least recently used first."""

from __future__ import annotations

from collections.abc import Iterator

from ams_ros.context.eviction.policy import VectorFacts
from ams_ros.context.eviction.queues import NumberQueues


class Lru:
    """One queue in order of last use; to be admitted is a use, so the newest arrival is the last to go."""

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        self._queue = NumberQueues()

    def admitted(self, vector: VectorFacts) -> None:
        """A vector has come in; raises KeyError when it is known."""
        self._queue.append(vector.number)

    def accessed(self, number: int) -> None:
        """It was read; raises KeyError when it is not known."""
        self._queue.remove(number)
        self._queue.append(number)

    def removed(self, number: int) -> None:
        """It has left; raises KeyError when it is not known."""
        self._queue.remove(number)

    def victims(self) -> Iterator[int]:
        """All known, the least recently used first."""
        return self._queue.walk()
