"""Counts by number of which nearly all are zero."""

from __future__ import annotations


class FewCounts(dict[int, int]):
    """A number that is not counted has 0 and takes no memory."""

    __slots__ = ()

    def __missing__(self, number: int) -> int:
        return 0

    def __setitem__(self, number: int, count: int) -> None:
        if count:
            super().__setitem__(number, count)
        else:
            self.pop(number, None)
