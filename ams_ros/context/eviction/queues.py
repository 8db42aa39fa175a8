"""First-in-first-out queues of small numbers that also leave from the middle, in two flat arrays."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

_ABSENT = -1


class NumberQueues:
    """A few doubly linked queues over the same numbers; a number is in at most one of them.

    Every operation takes constant time, and a number costs 16 bytes whether it is in a queue or not. Nodes 0 to
    `queues` - 1 are the queues' own ends, node `queues` + n stands for the number n.
    """

    __slots__ = ("_next", "_previous", "_queues")

    def __init__(self, queues: int = 1) -> None:
        self._queues = queues
        self._next = array("q", range(queues))
        self._previous = array("q", range(queues))

    def __contains__(self, number: int) -> bool:
        node = number + self._queues
        return number >= 0 and node < len(self._next) and self._next[node] != _ABSENT

    def append(self, number: int, queue: int = 0) -> None:
        """Put it at the end of a queue; raises KeyError when it is in one already or is below zero."""
        if number < 0 or number in self:
            raise KeyError(number)
        node = number + self._queues
        missing = node + 1 - len(self._next)
        if missing > 0:
            # Growing by an eighth keeps the copying that growth needs at a constant share of each append.
            blank = array("q", [_ABSENT]) * (missing + len(self._next) // 8)
            self._next.extend(blank)
            self._previous.extend(blank)
        last = self._previous[queue]
        self._next[last] = self._previous[queue] = node
        self._next[node], self._previous[node] = queue, last

    def remove(self, number: int) -> None:
        """Take it out of the queue it is in; raises KeyError when it is in none."""
        if number not in self:
            raise KeyError(number)
        node = number + self._queues
        before, after = self._previous[node], self._next[node]
        self._next[before], self._previous[after] = after, before
        self._next[node] = self._previous[node] = _ABSENT

    def first(self, queue: int = 0) -> int | None:
        """The one that has been longest in the queue; None when it is empty."""
        node = self._next[queue]
        return None if node == queue else node - self._queues

    def following(self, number: int) -> int | None:
        """The one that came next into the queue of `number`, which must be in one; None at the end."""
        node = self._next[number + self._queues]
        return None if node < self._queues else node - self._queues

    def walk(self, queue: int = 0) -> Iterator[int]:
        """All of a queue, first in first; the queues may not be changed meanwhile."""
        number = self.first(queue)
        while number is not None:
            yield number
            number = self.following(number)
