"""Virtual actions: which content lies where in a contiguous area, and how many refer to it (paper, 3.2.2; spec C5).

Bookkeeping only: it neither touches the content nor locks. `host_tier` does both.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ams_ros.context.host.extents import ALIGNMENT, FreeExtents, aligned
from ams_ros.context.memory.columns import Column, column, enlarged
from ams_ros.context.memory.digest_table import MINIMUM_WIDTH, DigestTable
from ams_ros.context.memory.few_counts import FewCounts
from ams_ros.errors import PoolError

MAXIMUM_BYTES = 2**31
"""Of one virtual action."""


class TierFullError(PoolError):
    """Content does not fit into its tier; something has to leave first.

    `free` can be more than `needed`: what is held stays where it is, and may cut the free bytes into small pieces.
    """

    def __init__(self, needed: int, free: int) -> None:
        """Both in bytes, alignment included."""
        super().__init__(f"host tier: {needed} bytes needed, {free} free")
        self.needed, self.free = needed, free


class UnknownActionError(PoolError):
    """A virtual action that is not there, or is given back more often than it was taken."""

    def __init__(self, number: int) -> None:
        """number: its id."""
        super().__init__(f"host tier: virtual action {number} is not there, or not taken that often")
        self.number = number


@dataclass(frozen=True, slots=True)
class Move:
    """Bytes that compaction moves down; source and target may overlap."""

    source: int
    target: int
    nbytes: int


class VirtualActions:
    """Places, reference counts, holds and digests of the actions, by id, in columns (some 35 bytes an action).

    Invariants: an action lives while it is referred to or held, and only then does it occupy its place and its id.
    It is found by digest from `publish` until it dies. Nothing held moves. The places of the living and the free
    extents together are the area. Of a digest only the beginning is kept: who looks for content compares it anyhow.
    """

    def __init__(self, capacity: int, digest_bytes: int) -> None:
        """capacity: bytes of the area. digest_bytes: length of every digest, at least 8."""
        self._extents = FreeExtents(capacity)
        # In units of ALIGNMENT, so that four bytes reach for 256 GiB.
        self._place = column("I" if capacity <= ALIGNMENT << 32 else "Q")
        self._nbytes, self._references, self._holds = column("i"), column("i"), FewCounts()
        self._published = column("B")
        self._end = 0
        self._unused = array("i")
        self._table = DigestTable(min(digest_bytes, MINIMUM_WIDTH))

    def __len__(self) -> int:
        """How many are alive."""
        return self._end - len(self._unused)

    @property
    def capacity(self) -> int:
        """Bytes that can be used at most."""
        return self._extents.capacity

    @property
    def used_bytes(self) -> int:
        """Bytes of the living, alignment included."""
        return self._extents.capacity - self._extents.free_bytes

    def reserve(self, sizes: Sequence[int]) -> list[int]:
        """New actions of these sizes, side by side where there is room: each referred to once, held once, unpublished.

        Raises TierFullError, with nothing reserved, when there is no place for all of them as the area is cut up now.
        """
        offsets = self._places(sizes)
        if offsets is None:
            raise TierFullError(sum(map(aligned, sizes)), self._extents.free_bytes)
        return [self._new(offset, nbytes) for offset, nbytes in zip(offsets, sizes, strict=True)]

    def publish(self, numbers: Sequence[int], digests: Sequence[bytes]) -> list[int]:
        """Their content is complete: from now on each is found by its digest and no longer held for its maker.

        Returns the places in the list of those whose digest is taken already; they stay unpublished.
        """
        refused = []
        for place, (number, digest) in enumerate(zip(numbers, digests, strict=True)):
            if self._table.add(number, digest[:MINIMUM_WIDTH]):
                self._published[number] = True
                self._holds[number] -= 1
            else:
                refused.append(place)
        return refused

    def publish_beside(self, number: int, digest: bytes) -> None:
        """Publish an action beside others of the same digest and other content."""
        self._table.add(number, digest[:MINIMUM_WIDTH], beside=True)
        self._published[number] = True
        self._holds[number] -= 1

    def abandon(self, numbers: Sequence[int]) -> None:
        """Give up actions that were reserved and not published."""
        for number in numbers:
            self._references[number] -= 1
            self._holds[number] -= 1
        self._bury_unused(numbers)

    def candidates(self, digest: bytes, nbytes: int) -> list[int]:
        """The published actions of that size that may have that digest: the same content, unless digests collide."""
        return [number for number in self._table.find(digest[:MINIMUM_WIDTH]) if self._nbytes[number] == nbytes]

    def acquire(self, numbers: Iterable[int]) -> None:
        """Refer to each once more, to one that is named twice, twice. Raises UnknownActionError, then for none."""
        self._take(self._references, tuple(numbers))

    def release(self, numbers: Iterable[int]) -> None:
        """Refer to each once less; raises UnknownActionError, then for none."""
        self._give_back(self._references, tuple(numbers))

    def hold(self, numbers: Iterable[int]) -> None:
        """Keep each where it is, even when nobody refers to it any more, once for each time it is named."""
        self._take(self._holds, tuple(numbers))

    def let_go(self, numbers: Iterable[int]) -> None:
        """Undo one `hold` of each; raises UnknownActionError, then for none."""
        self._give_back(self._holds, tuple(numbers))

    def offset(self, number: int) -> int:
        """Where it lies; stays true only while it is held."""
        return ALIGNMENT * self._place[number]

    def extents(self, numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
        """Offsets and sizes of their content in order, adjoining ones merged. Raises UnknownActionError."""
        merged: list[tuple[int, int]] = []
        start = length = 0
        for number in numbers:
            self._check_alive(number)
            offset, nbytes = ALIGNMENT * self._place[number], self._nbytes[number]
            if length and start + length == offset:
                length += nbytes
                continue
            if length:
                merged.append((start, length))
            start, length = offset, nbytes
        if length:
            merged.append((start, length))
        return tuple(merged)

    def freed_by(self, numbers: Iterable[int]) -> int:
        """Bytes that releasing these would free, alignment included."""
        return sum(
            aligned(self._nbytes[number])
            for number, count in Counter(numbers).items()
            if self._references[number] == count and not self._holds[number]
        )

    def compact(self) -> list[Move]:
        """Close the gaps: places as they are once these moves were made in their order. What is held stays."""
        moves: list[Move] = []
        gaps: list[tuple[int, int]] = []
        end = 0
        for number in sorted(self._living(), key=self._place.__getitem__):
            offset, size = self.offset(number), aligned(self._nbytes[number])
            if self._holds[number]:
                gaps.append((end, offset - end))
                end = offset
            elif offset != end:
                _add_move(moves, Move(offset, end, size))
                self._place[number] = end // ALIGNMENT
            end += size
        gaps.append((end, self._extents.capacity - end))
        self._extents.reset(gaps)
        return moves

    def check(self) -> None:
        """Raise AssertionError when an invariant does not hold."""
        places = [(self.offset(number), aligned(self._nbytes[number])) for number in self._living()]
        end = touching = 0
        for offset, size, free in sorted(
            [(*each, False) for each in places] + [(*each, True) for each in self._extents]
        ):
            assert offset == end, f"bytes {end} to {offset} are lost or taken twice"
            assert not (free and touching), f"the free extents that meet at {offset} are not one"
            end, touching = offset + size, free
        assert end == self._extents.capacity, "places and free extents do not fill the area"
        assert self.used_bytes == sum(size for _, size in places), "used bytes are miscounted"
        assert sorted(self._unused) == [number for number in range(self._end) if not self._nbytes[number]]
        for number, nbytes in enumerate(self._nbytes[: self._end]):
            taken = self._references[number] + self._holds[number]
            assert bool(taken) == bool(nbytes), f"action {number} has {nbytes} bytes and is taken {taken} times"
            assert self._references[number] >= 0 <= self._holds[number], f"action {number} was given back too often"
        self._table.check([number for number, published in enumerate(self._published) if published])

    def _living(self) -> Iterator[int]:
        """Ids in use."""
        return (number for number, nbytes in enumerate(self._nbytes[: self._end]) if nbytes)

    def _places(self, sizes: Sequence[int]) -> list[int] | None:
        """Offsets for content of these sizes: in one piece, else in halves; None, and nothing taken, without room."""
        whole = sum(map(aligned, sizes))
        start = self._extents.allocate(whole)
        if start is not None:
            offsets = []
            for nbytes in sizes:
                offsets.append(start)
                start += aligned(nbytes)
            return offsets
        if len(sizes) == 1 or whole > self._extents.free_bytes:
            return None
        half = len(sizes) // 2
        left = self._places(sizes[:half])
        right = self._places(sizes[half:]) if left is not None else None
        if left is None or right is None:
            for offset, nbytes in zip(left or (), sizes, strict=False):
                self._extents.free(offset, nbytes)
            return None
        return left + right

    def _new(self, offset: int, nbytes: int) -> int:
        """Enter an action, referred to once and held once."""
        if self._unused:
            number = self._unused.pop()
        else:
            number = self._end
            self._end += 1
            if self._end > len(self._place):
                self._enlarge()
        self._place[number], self._nbytes[number] = offset // ALIGNMENT, nbytes
        self._references[number] = self._holds[number] = 1
        return number

    def _enlarge(self) -> None:
        """Room for all ids; the narrowest column is full last."""
        self._place = enlarged(self._place, self._end)
        self._nbytes = enlarged(self._nbytes, self._end)
        self._references = enlarged(self._references, self._end)
        self._published = enlarged(self._published, self._end)

    def _check_alive(self, number: int) -> None:
        """Raise UnknownActionError for an id that is not in use."""
        if not 0 <= number < self._end or not self._nbytes[number]:
            raise UnknownActionError(number)

    def _take(self, counts: Column | FewCounts, numbers: Sequence[int]) -> None:
        """Count each up."""
        for number in numbers:
            self._check_alive(number)
        for number in numbers:
            counts[number] += 1

    def _give_back(self, counts: Column | FewCounts, numbers: Sequence[int]) -> None:
        """Count each down and bury whom nobody needs any more."""
        for done, number in enumerate(numbers):
            if not 0 <= number < self._end or not counts[number]:
                for earlier in numbers[:done]:
                    counts[earlier] += 1
                raise UnknownActionError(number)
            counts[number] -= 1
        self._bury_unused(numbers)

    def _bury_unused(self, numbers: Iterable[int]) -> None:
        """Free place and id of those that are neither referred to nor held."""
        start = length = 0
        for number in dict.fromkeys(numbers):
            if self._references[number] or self._holds[number]:
                continue
            offset, size = self.offset(number), aligned(self._nbytes[number])
            if start + length != offset:
                if length:
                    self._extents.free(start, length)
                start, length = offset, 0
            length += size
            self._nbytes[number] = 0
            if self._published[number]:
                self._table.remove(number)
                self._published[number] = False
            self._unused.append(number)
        if length:
            self._extents.free(start, length)


def _add_move(moves: list[Move], move: Move) -> None:
    """Append a move, as part of the last one where they adjoin."""
    if moves:
        last = moves[-1]
        if (last.source + last.nbytes, last.target + last.nbytes) == (move.source, move.target):
            moves[-1] = Move(last.source, last.target, last.nbytes + move.nbytes)
            return
    moves.append(move)
