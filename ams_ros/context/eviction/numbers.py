"""Small whole numbers as names, used again once they were given back, so that they can index flat arrays."""

from __future__ import annotations

from array import array


class Numbers:
    """Hands out 0, 1, 2 ... and prefers those given back, the last one first."""

    __slots__ = ("_end", "_free")

    def __init__(self) -> None:
        self._free = array("q")
        self._end = 0

    def take(self) -> int:
        """A number that nobody holds."""
        if self._free:
            return self._free.pop()
        self._end += 1
        return self._end - 1

    def give_back(self, number: int) -> None:
        """Free a number that was taken; giving it back twice would name two things alike."""
        self._free.append(number)

    @property
    def end(self) -> int:
        """One more than the largest number ever taken."""
        return self._end

    @property
    def taken(self) -> int:
        """How many are held."""
        return self._end - len(self._free)
