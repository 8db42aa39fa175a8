"""Input keys, each once: rows of one column that look-ups and the table of vectors both refer to."""

from __future__ import annotations

from array import array

from ams_ros.context.eviction.numbers import Numbers


class KeyRows:
    """Keys of one width by row, each with the number it stands for. Rows are small and used again."""

    __slots__ = ("_rows", "column", "numbers", "width")

    def __init__(self, width: int) -> None:
        """Empty; width: bytes of every key."""
        self.width = width
        self.column = bytearray()
        self.numbers = array("i")
        self._rows = Numbers()

    def take(self, key: bytes, number: int) -> int:
        """A row of its own for a key."""
        row = self._rows.take()
        if row == len(self.numbers):
            self.numbers.append(number)
            self.column += key
        else:
            self.numbers[row] = number
            self.column[row * self.width : (row + 1) * self.width] = key
        return row

    def give_back(self, row: int) -> None:
        """Free a row that was taken."""
        self._rows.give_back(row)

    def key(self, row: int) -> bytes:
        """The key of that row."""
        return bytes(self.column[row * self.width : (row + 1) * self.width])
