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
    """Free list of an area: best fit, lowest offset first, neighbours coalesced. Not thread-safe.

    Sizes are rounded up to ALIGNMENT, so every offset is a multiple of it. What was allocated in one piece may be
    freed in several. Finding a place takes O(log n) steps for n free extents.
    """

    def __init__(self, capacity: int) -> None:
        """capacity: bytes of the area; a rest that is no multiple of ALIGNMENT is never given out."""
        self.capacity = capacity // ALIGNMENT * ALIGNMENT
        self.reset(((0, self.capacity),))

    def reset(self, extents: Iterable[tuple[int, int]]) -> None:
        """Start anew with these free extents (offset, nbytes): aligned, disjoint, none touching another."""
        self._sizes = {offset: nbytes for offset, nbytes in extents if nbytes}
        self._starts = sorted(self._sizes)
        self._by_size = sorted((nbytes, offset) for offset, nbytes in self._sizes.items())
        self.free_bytes = sum(self._sizes.values())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The free extents (offset, nbytes), by offset."""
        return ((start, self._sizes[start]) for start in self._starts)

    def allocate(self, nbytes: int) -> int | None:
        """Offset of that many bytes that were free; None when no extent is large enough."""
        if nbytes < 1:
            raise ValueError(f"extent: {nbytes} bytes, expected at least 1")
        wanted = aligned(nbytes)
        place = bisect_left(self._by_size, (wanted, 0))
        if place == len(self._by_size):
            return None
        size, offset = self._by_size[place]
        self._take(offset)
        if size > wanted:
            self._put(offset + wanted, size - wanted)
        self.free_bytes -= wanted
        return offset

    def free(self, offset: int, nbytes: int) -> None:
        """Give bytes back; raises ValueError when some of them are free already or outside the area."""
        start, end = offset, offset + aligned(nbytes)
        place = bisect_left(self._starts, start)
        before = self._starts[place - 1] if place else None
        after = self._starts[place] if place < len(self._starts) else None
        overlaps = (before is not None and before + self._sizes[before] > start) or (after is not None and after < end)
        if overlaps or nbytes < 1 or offset % ALIGNMENT or not 0 <= start < end <= self.capacity:
            raise ValueError(f"extent: {nbytes} bytes at {offset} are not in use, so they cannot be freed")
        self.free_bytes += end - start
        if after == end:
            end += self._take(after)
        if before is not None and before + self._sizes[before] == start:
            start = before
            self._take(before)
        self._put(start, end - start)

    def _take(self, offset: int) -> int:
        """Strike the free extent at `offset`; its size."""
        size = self._sizes.pop(offset)
        del self._starts[bisect_left(self._starts, offset)]
        del self._by_size[bisect_left(self._by_size, (size, offset))]
        return size

    def _put(self, offset: int, nbytes: int) -> None:
        """Enter a free extent."""
        self._sizes[offset] = nbytes
        insort(self._starts, offset)
        insort(self._by_size, (nbytes, offset))
