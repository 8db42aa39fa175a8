"""S3-FIFO: a small queue that filters out what is used once, a main queue, and a memory of what was filtered out.

Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023,
https://doi.org/10.1145/3600006.3613147 (algorithm 1). Sizes are counted in bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from ams_ros.context.eviction.policy import VectorFacts
from ams_ros.context.eviction.queues import NumberQueues

SMALL_SHARE = 0.1
"""Share of the bytes the small queue may hold before victims are taken from it (the paper's choice)."""

MAXIMUM_USES = 3
"""Uses are counted in two bits."""

_SMALL, _MAIN, _NEITHER = 0, 1, 2
_NEVER = -1


class S3Fifo:
    """Newcomers enter the small queue, or the main one when they were thrown out of the small one not long ago.

    A victim is looked for in the small queue while that holds more than SMALL_SHARE of all bytes, else in the main
    queue. In the small queue, what was used more than once moves to the main queue, and the rest goes. In the main
    queue, what was used goes round again with one use less. The ghost remembers the numbers that left the small
    queue until as many bytes as the main queue holds have left after them; it needs no queue of its own, only how
    many bytes had left when each did. The number of a vector that is gone for good may come to name another one:
    that vector may then start in the main queue, which costs it nothing but an undeserved round.
    """

    __slots__ = ("_bytes", "_left", "_left_at", "_nbytes", "_place", "_queues", "_uses")

    def __init__(self) -> None:
        self._queues = NumberQueues(2)
        self._place = array("b")
        self._uses = array("b")
        self._nbytes = array("q")
        self._left_at = array("q")
        self._left = 0
        self._bytes = [0, 0]

    def admitted(self, vector: VectorFacts) -> None:
        """A vector has come in; raises KeyError when it is known."""
        number = vector.number
        queue = _MAIN if self._is_ghost(number) else _SMALL
        self._queues.append(number, queue)
        self._grow(number)
        self._place[number], self._uses[number] = queue, 0
        self._nbytes[number], self._left_at[number] = vector.nbytes, _NEVER
        self._bytes[queue] += vector.nbytes

    def accessed(self, number: int) -> None:
        """It was read; raises KeyError when it is not known."""
        if number not in self._queues:
            raise KeyError(number)
        self._uses[number] = min(MAXIMUM_USES, self._uses[number] + 1)

    def removed(self, number: int) -> None:
        """It has left, and is remembered when it left the small queue; raises KeyError when it is not known."""
        self._queues.remove(number)
        queue = self._place[number]
        self._bytes[queue] -= self._nbytes[number]
        self._place[number] = _NEITHER
        if queue == _SMALL:
            self._left += self._nbytes[number]
            self._left_at[number] = self._left

    def victims(self) -> Iterator[int]:
        """All known; looking for a victim moves and counts down those that were used, as the paper's eviction does."""
        taken = [0, 0]
        following = [self._queues.first(_SMALL), self._queues.first(_MAIN)]
        while following[_SMALL] is not None or following[_MAIN] is not None:
            small = self._bytes[_SMALL] - taken[_SMALL]
            everything = small + self._bytes[_MAIN] - taken[_MAIN]
            queue = _SMALL if small > SMALL_SHARE * everything else _MAIN
            if following[queue] is None:
                queue = 1 - queue
            number = following[queue]
            assert number is not None
            following[queue] = self._queues.following(number)
            if self._moves_on(number, queue):
                self._move_to_main(number)
                # At the end of the main queue it is ahead of the walk again, also where the walk had come to the end.
                if following[_MAIN] is None:
                    following[_MAIN] = number
            else:
                taken[queue] += self._nbytes[number]
                yield number

    def _moves_on(self, number: int, queue: int) -> bool:
        """Whether it was used often enough not to go yet."""
        return self._uses[number] > (1 if queue == _SMALL else 0)

    def _move_to_main(self, number: int) -> None:
        queue = self._place[number]
        self._uses[number] = 0 if queue == _SMALL else self._uses[number] - 1
        self._bytes[queue] -= self._nbytes[number]
        self._bytes[_MAIN] += self._nbytes[number]
        self._place[number] = _MAIN
        self._queues.remove(number)
        self._queues.append(number, _MAIN)

    def _is_ghost(self, number: int) -> bool:
        if not 0 <= number < len(self._left_at) or self._left_at[number] == _NEVER:
            return False
        return self._left - self._left_at[number] < self._bytes[_MAIN]

    def _grow(self, number: int) -> None:
        missing = number + 1 - len(self._place)
        if missing > 0:
            more = missing + len(self._place) // 8
            self._place.extend(array("b", [_NEITHER]) * more)
            self._uses.extend(array("b", [0]) * more)
            self._nbytes.extend(array("q", [0]) * more)
            self._left_at.extend(array("q", [_NEVER]) * more)
