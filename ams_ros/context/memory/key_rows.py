"""Digests and input keys, each once: rows of one column that look-ups and whoever names a row both refer to."""

from __future__ import annotations

import mmap

from ams_ros.context.eviction.numbers import Numbers
from ams_ros.context.memory.columns import column, enlarged, row_of_bytes


class DigestRows:
    """Digests of one width by row."""

    __slots__ = ("cells", "width")

    def __init__(self, width: int) -> None:
        """Empty; width: bytes of every digest."""
        self.width = width
        self.cells = row_of_bytes(mmap.PAGESIZE)

    def set(self, row: int, digest: bytes) -> None:
        """Write a row, wherever it is."""
        end = (row + 1) * self.width
        if end > len(self.cells):
            larger = row_of_bytes(max(end, 2 * len(self.cells)))
            larger[: len(self.cells)] = self.cells[:]
            self.cells = larger
        self.cells[end - self.width : end] = digest


class KeyRows(DigestRows):
    """Input keys by row, each with the number it stands for. Rows are small and used again."""

    __slots__ = ("_rows", "numbers")

    def __init__(self, width: int) -> None:
        """Empty; width: bytes of every key."""
        super().__init__(width)
        self.numbers = column("i")
        self._rows = Numbers()

    def take(self, key: bytes, number: int) -> int:
        """A row of its own for a key."""
        row = self._rows.take()
        self.set(row, key)
        self.numbers = enlarged(self.numbers, row + 1)
        self.numbers[row] = number
        return row

    def give_back(self, row: int) -> None:
        """Free a row that was taken."""
        self._rows.give_back(row)

    def key(self, row: int) -> bytes:
        """The key of that row."""
        return self.cells[row * self.width : (row + 1) * self.width]
