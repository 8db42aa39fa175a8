"""The host tier: every distinct segment once, in one area of shared memory (spec C3 and C5)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from ams_ros.context import raw_memory
from ams_ros.context.extents import ALIGNMENT
from ams_ros.context.hashing.protocol import SegmentHash, as_bytes
from ams_ros.context.shared_memory import SharedArea
from ams_ros.context.virtual_actions import MAXIMUM_BYTES, TierFullError, VirtualActions
from ams_ros.errors import ConfigurationError

Bytes = NDArray[np.uint8]

Piece = tuple[int, int, bytes]
"""One segment on its way in: address, size, digest."""


class HostTier:
    """Keeps byte strings as virtual actions: store, share, read, free. All methods may be called from any thread.

    Hashing, comparing and copying run outside the lock. A segment is found by others only once its content is
    complete, so a half-filled one is never a hit; two threads that store the same content at once each fill a place,
    and whoever publishes second takes the first one's. A hit is always confirmed on content, whatever the hash: that
    takes less time than hashing did, and holds even when the writer of `data` changes it meanwhile. While bytes are
    compared or read they are held, so nothing moves them.
    """

    def __init__(self, area: SharedArea, hash: SegmentHash, segment_bytes: int) -> None:
        """Use all of `area`, which stays its owner's to close, when no other thread uses the tier any more.

        segment_bytes: unit of deduplication, a multiple of 64; raises ConfigurationError for another.
        """
        if segment_bytes % ALIGNMENT or not ALIGNMENT <= segment_bytes <= MAXIMUM_BYTES - ALIGNMENT:
            raise ConfigurationError("segment_bytes", segment_bytes, f"a multiple of {ALIGNMENT}, below 2 GiB")
        self._hash = hash
        self._segment_bytes = segment_bytes
        self._memory = area.array  # keeps it mapped
        self._base = raw_memory.address_of(area.array)
        self._actions = VirtualActions(area.nbytes, len(hash.digest(b"")))
        self._lock = threading.Lock()

    @property
    def budget_bytes(self) -> int:
        """Bytes that can be used at most: the size of the area."""
        return self._actions.capacity

    @property
    def used_bytes(self) -> int:
        """Bytes of all that is referred to or held, alignment included."""
        with self._lock:
            return self._actions.used_bytes

    @property
    def actions(self) -> int:
        """How many distinct segments are there."""
        with self._lock:
            return len(self._actions)

    def store(self, data: Bytes) -> tuple[int, ...]:
        """Keep (n,) uint8, C-contiguous; returns its actions in order, each referred to once for each time it occurs.

        Raises TierFullError when what is new of it does not fit even after compaction; then nothing was kept.
        """
        if data.dtype != np.uint8 or data.ndim != 1 or not data.flags.c_contiguous:
            raise ValueError(f"content: {data.dtype} {data.shape}, expected one contiguous row of uint8")
        pieces, order = self._cut(data)
        numbers = self._find(pieces)
        fresh = [place for place, number in enumerate(numbers) if number < 0]
        try:
            added = self._add([pieces[place] for place in fresh])
        except BaseException:
            self.release([number for number in numbers if number >= 0])
            raise
        for place, number in zip(fresh, added, strict=True):
            numbers[place] = number
        if len(order) == len(numbers):
            return tuple(numbers)
        repeated = tuple(numbers[place] for place in order)
        self._refer_again(repeated)
        return repeated

    def acquire(self, numbers: Sequence[int]) -> None:
        """Refer to each action once more. Raises UnknownActionError, then for none of them."""
        with self._lock:
            self._actions.acquire(numbers)

    def release(self, numbers: Sequence[int]) -> None:
        """Refer to each action once less; one that nobody refers to or holds is gone. Raises UnknownActionError."""
        with self._lock:
            self._actions.release(numbers)

    def hold(self, numbers: Sequence[int]) -> None:
        """Keep the bytes of each action where they are until `let_go`, released or not. Raises UnknownActionError."""
        with self._lock:
            self._actions.hold(numbers)

    def let_go(self, numbers: Sequence[int]) -> None:
        """Undo one `hold` of each action. Raises UnknownActionError, then for none of them."""
        with self._lock:
            self._actions.let_go(numbers)

    def extents(self, numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Offsets and sizes in the area of the actions' content in order, adjoining ones merged.

        True only as long as they are held. Raises UnknownActionError.
        """
        with self._lock:
            return self._actions.extents(numbers)

    def freed_by(self, numbers: Sequence[int]) -> int:
        """Bytes that releasing each of these once would free at once, alignment included."""
        with self._lock:
            return self._actions.freed_by(numbers)

    def load(self, numbers: Sequence[int], out: Bytes) -> None:
        """Copy the actions' content in order into `out`, (n,) uint8, exactly their bytes. Raises UnknownActionError."""
        if out.dtype != np.uint8 or out.ndim != 1 or not (out.flags.c_contiguous and out.flags.writeable):
            raise ValueError(f"out: {out.dtype} {out.shape}, expected one contiguous writable row of uint8")
        with self._lock:
            extents = self._actions.extents(numbers)
            self._actions.hold(numbers)
        try:
            total = sum(nbytes for _, nbytes in extents)
            if total != len(out):
                raise ValueError(f"out: {len(out)} bytes, expected {total}")
            target = raw_memory.address_of(out)
            for offset, nbytes in extents:
                raw_memory.copy(target, self._base + offset, nbytes)
                target += nbytes
        finally:
            self.let_go(numbers)

    def compact(self) -> None:
        """Close the gaps between actions, as far as none of them is held; nobody can use the tier meanwhile."""
        with self._lock:
            self._compact()

    def check(self) -> None:
        """Raise AssertionError when an invariant of the bookkeeping does not hold."""
        with self._lock:
            self._actions.check()

    def _cut(self, data: Bytes) -> tuple[list[Piece], Sequence[int]]:
        """The distinct segments of `data`, and for each of its segments which of them it is."""
        start, size, content = raw_memory.address_of(data), self._segment_bytes, as_bytes(data)
        digests = [self._hash.digest(content[place : place + size]) for place in range(0, len(data), size)]
        end = start + len(data)
        segments = list(zip(range(start, end, size), repeat(size), digests))
        if segments:
            source, _, digest = segments.pop()
            segments.append((source, end - source, digest))
        if len(set(digests)) == len(digests):
            return segments, range(len(segments))
        pieces: list[Piece] = []
        order: list[int] = []
        same_digest: dict[bytes, list[int]] = {}
        for segment in segments:
            earlier = same_digest.setdefault(segment[2], [])
            place = next((place for place in earlier if _same(pieces[place], segment)), len(pieces))
            if place == len(pieces):
                earlier.append(place)
                pieces.append(segment)
            order.append(place)
        return pieces, order

    def _refer_again(self, numbers: Sequence[int]) -> None:
        """Refer to each action once for each time it is named after the first, for which it is referred to already."""
        again = Counter(numbers)
        again.subtract(set(numbers))
        self.acquire(tuple(again.elements()))

    def _find(self, pieces: Sequence[Piece]) -> list[int]:
        """For each piece the action of the same content, referred to once more, or -1."""
        with self._lock:
            candidates = self._actions.candidates((digest, nbytes) for _, nbytes, digest in pieces)
            held = [number for each in candidates for number in each]
            if not held:
                return [-1] * len(pieces)
            self._actions.hold(held)
            addresses = {number: self._address(number) for number in held}
        try:
            matches = _confirmed(pieces, candidates, addresses)
            with self._lock:
                self._actions.acquire(number for number in matches if number >= 0)
        finally:
            self.let_go(held)
        return matches

    def _add(self, pieces: Sequence[Piece]) -> list[int]:
        """Make actions of these pieces. Raises TierFullError, then of none of them."""
        if not pieces:
            return []
        with self._lock:
            numbers = self._reserve([nbytes for _, nbytes, _ in pieces])
            addresses = [self._address(number) for number in numbers]
        try:
            for run in _merged((to, source, nbytes) for to, (source, nbytes, _) in zip(addresses, pieces, strict=True)):
                raw_memory.copy(*run)
        except BaseException:
            with self._lock:
                self._actions.abandon(numbers)
            raise
        with self._lock:
            for place in self._actions.publish(numbers, [digest for _, _, digest in pieces]):
                numbers[place] = self._publish_beside(pieces[place], numbers[place])
        return numbers

    def _publish_beside(self, piece: Piece, number: int) -> int:
        """What becomes of `number` where its digest is taken: the action of the same content, else itself.

        The digests collide, or another thread published the same content since we looked.
        """
        _, nbytes, digest = piece
        for twin in self._actions.candidates(((digest, nbytes),))[0]:
            if raw_memory.equal(self._address(twin), self._address(number), nbytes):
                self._actions.acquire((twin,))
                self._actions.abandon((number,))
                return twin
        self._actions.publish_beside(number, digest)
        return number

    def _reserve(self, sizes: Sequence[int]) -> list[int]:
        """Places for new actions, after compaction where the free bytes would do. Raises TierFullError."""
        try:
            return self._actions.reserve(sizes)
        except TierFullError as full:
            if full.needed > full.free:
                raise
        self._compact()
        return self._actions.reserve(sizes)

    def _compact(self) -> None:
        """`compact`, under the lock."""
        for move in self._actions.compact():
            raw_memory.copy(self._base + move.target, self._base + move.source, move.nbytes)

    def _address(self, number: int) -> int:
        """Where the action's content begins; true while it is held or the lock is."""
        return self._base + self._actions.offset(number)


def _same(one: Piece, other: Piece) -> bool:
    """Whether two segments have the same content."""
    return one[1] == other[1] and raw_memory.equal(one[0], other[0], one[1])


def _confirmed(pieces: Sequence[Piece], candidates: Sequence[Sequence[int]], addresses: Mapping[int, int]) -> list[int]:
    """For each piece the candidate with the same content, or -1.

    Digests rarely collide, so the first candidates of all pieces are compared in as few and long runs as possible.
    """
    likely = [(addresses[each[0]], piece[0], piece[1]) for piece, each in zip(pieces, candidates, strict=True) if each]
    if all(raw_memory.equal(*run) for run in _merged(likely)):
        return [each[0] if each else -1 for each in candidates]
    return [
        next((number for number in each if raw_memory.equal(addresses[number], source, nbytes)), -1)
        for (source, nbytes, _), each in zip(pieces, candidates, strict=True)
    ]


def _merged(runs: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Runs (target, source, nbytes), those that adjoin on both sides made one."""
    target = source = length = 0
    for to, origin, nbytes in runs:
        if length and (target + length, source + length) == (to, origin):
            length += nbytes
            continue
        if length:
            yield target, source, length
        target, source, length = to, origin, nbytes
    if length:
        yield target, source, length
