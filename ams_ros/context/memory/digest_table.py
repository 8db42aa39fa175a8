"""From digests to numbers, without an object for each entry: a pool has millions of small vectors."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from ams_ros.context.memory.columns import column, enlarged
from ams_ros.context.memory.key_rows import DigestRows

MINIMUM_WIDTH = 8
"""Bytes a digest must have: its first eight decide where it is looked for."""

SMALLEST = 64


class DigestTable:
    """Open addressing with linear probing, at most half full; digests lie in one column by number.

    Entries of equal digest are all found, in the order they were added. About 12 bytes an entry, beside its digest.
    Takes O(1) steps unless many digests are equal. Not thread-safe.
    """

    def __init__(self, width: int, rows: DigestRows | None = None) -> None:
        """width: bytes of every digest, at least MINIMUM_WIDTH. rows: where they lie, None for rows of its own."""
        if width < MINIMUM_WIDTH:
            raise ValueError(f"digests of {width} bytes, expected at least {MINIMUM_WIDTH}")
        self._width = width
        self._rows = DigestRows(width) if rows is None else rows
        self._slots = memoryview(array("i", [-1]) * SMALLEST)
        self._mask = SMALLEST - 1
        self._count = 0

    def __len__(self) -> int:
        """How many entries there are."""
        return self._count

    def find(self, digest: bytes) -> list[int]:
        """All numbers of that digest, in the order they were added."""
        slots, mask, digests, width = self._slots, self._mask, self._rows.cells, self._width
        found = []
        slot = int.from_bytes(digest[:8], "little") & mask
        while (number := slots[slot]) >= 0:
            if digests[number * width : number * width + width] == digest:
                found.append(number)
            slot = (slot + 1) & mask
        return found

    def add(self, number: int, digest: bytes, beside: bool = False) -> bool:
        """Enter a number, 0 or above, that is not in the table.

        False, and nothing done, when another has that digest, unless it is to stand `beside` it.
        """
        if 2 * (self._count + 1) > len(self._slots):
            self._grow()
        slots, mask, digests, width = self._slots, self._mask, self._rows.cells, self._width
        slot = int.from_bytes(digest[:8], "little") & mask
        while (other := slots[slot]) >= 0:
            if not beside and digests[other * width : other * width + width] == digest:
                return False
            slot = (slot + 1) & mask
        self._rows.set(number, digest)
        slots[slot] = number
        self._count += 1
        return True

    def remove(self, number: int) -> None:
        """Strike a number that is in the table; what stands behind it moves up, so that no search stops too early."""
        slots, mask = self._slots, self._mask
        hole = self._home(number)
        while slots[hole] != number:
            hole = (hole + 1) & mask
        slot = (hole + 1) & mask
        while (other := slots[slot]) >= 0:
            if (slot - self._home(other)) & mask >= (slot - hole) & mask:
                slots[hole] = other
                hole = slot
            slot = (slot + 1) & mask
        slots[hole] = -1
        self._count -= 1

    def check(self, numbers: list[int]) -> None:
        """Raise AssertionError unless exactly these numbers, ascending, are there and each is found by its digest."""
        assert sorted(number for number in self._slots if number >= 0) == numbers
        assert self._count == len(numbers)
        for number in numbers:
            digest = self._rows.cells[number * self._width : (number + 1) * self._width]
            assert number in self.find(digest), f"{number} is in the table and not found"

    def _home(self, number: int) -> int:
        """The slot a search for the number's digest begins at."""
        start = number * self._width
        return int.from_bytes(self._rows.cells[start : start + 8], "little") & self._mask

    def _insert(self, number: int) -> None:
        """Put a number into the first empty slot from its home on."""
        slot = self._home(number)
        while self._slots[slot] >= 0:
            slot = (slot + 1) & self._mask
        self._slots[slot] = number

    def _grow(self) -> None:
        """Twice as many slots. In bulk, since everybody waits meanwhile: sorted by home, each takes the next free."""
        numbers = np.array(self._slots, np.int32)
        # A run that wraps around the end is to keep its order: begin behind a slot where none goes on.
        numbers = np.roll(numbers, -int(np.argmax(numbers < 0)))
        numbers = numbers[numbers >= 0]
        self._mask = 2 * len(self._slots) - 1
        homes = self._homes(numbers)
        order = np.argsort(homes, kind="stable")
        ranks = np.arange(len(order))
        slots = np.maximum.accumulate(homes[order] - ranks) + ranks
        inside = slots <= self._mask
        table = np.full(self._mask + 1, -1, np.int32)
        table[slots[inside]] = numbers[order][inside]
        self._slots = enlarged(column("i"), len(table))[: len(table)]
        self._slots[:] = table.data
        for number in numbers[order][~inside].tolist():  # wrapped around the end
            self._insert(number)

    def _homes(self, numbers: NDArray[np.int32]) -> NDArray[np.int64]:
        """`_home` of many."""
        count = len(self._rows.cells) // self._width
        digests = np.frombuffer(self._rows.cells, np.uint8, count * self._width).reshape(count, self._width)
        first = np.ascontiguousarray(digests[numbers, :8]).view("<u8").ravel()
        return (first & np.uint64(self._mask)).astype(np.int64)
