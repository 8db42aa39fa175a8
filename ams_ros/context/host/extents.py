"""Which parts of a contiguous area are free."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

ALIGNMENT = 64
"""Bytes: a cache line, and enough for the vector instructions of every processor."""


def aligned(nbytes: int) -> int:
    """Bytes that content of that size occupies."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


class FreeExtents:
    """Free list of an area: best fit, neighbours coalesced. Not thread-safe.

    Sizes are rounded up to ALIGNMENT, so every offset is a multiple of it. What was allocated in one piece may be
    freed in several. Takes O(log s) steps for s different sizes of free extents, however many there are.
    """

    def __init__(self, capacity: int) -> None:
        """capacity: bytes of the area; a rest that is no multiple of ALIGNMENT is never given out."""
        self.capacity = capacity // ALIGNMENT * ALIGNMENT
        self.reset(((0, self.capacity),))

    def reset(self, extents: Iterable[tuple[int, int]]) -> None:
        """Start anew with these free extents (offset, nbytes): aligned, disjoint, none touching another."""
        self._size_at: dict[int, int] = {}
        self._start_of: dict[int, int] = {}
        self._starts: dict[int, dict[int, None]] = {}
        self._sizes: list[int] = []
        self.free_bytes = 0
        for offset, nbytes in extents:
            if nbytes:
                self._put(offset, nbytes)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The free extents (offset, nbytes), by offset."""
        return iter(sorted(self._size_at.items()))

    def allocate(self, nbytes: int) -> int | None:
        """Offset of that many bytes that were free; None when no extent is large enough."""
        if nbytes < 1:
            raise ValueError(f"extent: {nbytes} bytes, expected at least 1")
        wanted = aligned(nbytes)
        place = bisect_left(self._sizes, wanted)
        if place == len(self._sizes):
            return None
        size = self._sizes[place]
        offset, _ = self._starts[size].popitem()
        self._strike(offset, size)
        if size > wanted:
            self._put(offset + wanted, size - wanted)
        return offset

    def free(self, offset: int, nbytes: int) -> None:
        """Give bytes back; raises ValueError when they begin or end as a free extent does, or lie outside the area."""
        start, end = offset, offset + aligned(nbytes)
        if nbytes < 1 or offset % ALIGNMENT or not 0 <= start < end <= self.capacity:
            raise ValueError(f"extent: {nbytes} bytes at {offset} are no part of {self.capacity} bytes")
        if start in self._size_at or end in self._start_of:
            raise ValueError(f"extent: {nbytes} bytes at {offset} are free already")
        if end in self._size_at:
            end += self._take(end)
        if start in self._start_of:
            start = self._start_of[start]
            self._take(start)
        self._put(start, end - start)

    def _take(self, offset: int) -> int:
        """Take the free extent at `offset` off the list; its size."""
        size = self._size_at[offset]
        del self._starts[size][offset]
        self._strike(offset, size)
        return size

    def _strike(self, offset: int, size: int) -> None:
        """Forget a free extent that is no longer among those of its size."""
        del self._size_at[offset], self._start_of[offset + size]
        if not self._starts[size]:
            del self._starts[size]
            del self._sizes[bisect_left(self._sizes, size)]
        self.free_bytes -= size

    def _put(self, offset: int, nbytes: int) -> None:
        """Enter a free extent."""
        self._size_at[offset] = nbytes
        self._start_of[offset + nbytes] = offset
        if nbytes not in self._starts:
            self._starts[nbytes] = {}
            insort(self._sizes, nbytes)
        self._starts[nbytes][offset] = None
        self.free_bytes += nbytes
