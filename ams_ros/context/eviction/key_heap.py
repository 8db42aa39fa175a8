"""A binary heap of (key, number) in two flat arrays: 8 bytes an entry where tuples in a list would take 128."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterator


class KeyHeap:
    """Smallest key first; entries leave from the top, or all that are not wanted any more at once.

    Keys are numbers of single precision.
    """

    __slots__ = ("_keys", "_numbers")

    def __init__(self) -> None:
        self._keys = array("f")
        self._numbers = array("i")

    def __len__(self) -> int:
        return len(self._keys)

    def top(self) -> tuple[float, int]:
        """The smallest key and its number; raises IndexError when there is none."""
        return self._keys[0], self._numbers[0]

    def push(self, key: float, number: int) -> None:
        """Add an entry."""
        self._keys.append(key)
        self._numbers.append(number)
        place = len(self._keys) - 1
        while place and self._keys[parent := (place - 1) // 2] > key:
            self._keys[place], self._numbers[place] = self._keys[parent], self._numbers[parent]
            place = parent
        self._keys[place], self._numbers[place] = key, number

    def pop(self) -> None:
        """Remove the top; raises IndexError when there is none."""
        key, number = self._keys.pop(), self._numbers.pop()
        if self._keys:
            self.replace_top(key, number)

    def replace_top(self, key: float, number: int) -> None:
        """Put another entry in place of the top."""
        keys, numbers, end = self._keys, self._numbers, len(self._keys)
        place = 0
        while (child := 2 * place + 1) < end:
            if child + 1 < end and keys[child + 1] < keys[child]:
                child += 1
            if keys[child] >= key:
                break
            keys[place], numbers[place] = keys[child], numbers[child]
            place = child
        keys[place], numbers[place] = key, number

    def ascending(self) -> Iterator[tuple[float, int]]:
        """All entries, the smallest key first, without changing the heap; each costs O(log of those before it)."""
        ahead = [(self._keys[0], 0)] if self._keys else []
        while ahead:
            key, place = heapq.heappop(ahead)
            yield key, self._numbers[place]
            for child in (2 * place + 1, 2 * place + 2):
                if child < len(self._keys):
                    heapq.heappush(ahead, (self._keys[child], child))

    def keep(self, wanted: Callable[[float, int], bool]) -> None:
        """Remove every other entry, in linear time."""
        kept = sorted(entry for entry in zip(self._keys, self._numbers, strict=True) if wanted(*entry))
        self._keys = array("f", [key for key, _ in kept])
        self._numbers = array("i", [number for _, number in kept])
