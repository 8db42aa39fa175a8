"""The host tier: every distinct segment once, in one area of shared memory (spec C3 and C5)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ams_ros.context.hashing.protocol import SegmentHash, as_bytes
from ams_ros.context.host.extents import ALIGNMENT
from ams_ros.context.host.shared_memory import SharedArea
from ams_ros.context.host.virtual_actions import MAXIMUM_BYTES, TierFullError, VirtualActions
from ams_ros.context.memory import raw_memory
from ams_ros.errors import ConfigurationError, PoolError

Bytes = NDArray[np.uint8]


class _Fresh(NamedTuple):
    """A segment that the tier did not have. place: which one of the content; address: where it can be read."""

    place: int
    address: int
    nbytes: int
    digest: bytes


@dataclass(slots=True)
class _Intake:
    """One content on its way in.

    memory: the area, which stays mapped meanwhile. numbers: the action of each segment so far; -1 - k for the k-th of
    `fresh`. same_digest: those by digest. held: actions that it is compared with. reserved: actions for all its
    segments, or for those of `fresh` only; None before there was need, empty when there was no room.
    """

    memory: Bytes
    numbers: list[int] = field(default_factory=list)
    fresh: list[_Fresh] = field(default_factory=list)
    same_digest: dict[bytes, list[int]] = field(default_factory=dict)
    held: list[int] = field(default_factory=list)
    reserved: list[int] | None = None

    def add(self, fresh: _Fresh) -> int:
        """Its entry in `numbers`."""
        number = ~len(self.fresh)
        self.fresh.append(fresh)
        self.same_digest.setdefault(fresh.digest, []).append(number)
        return number


class HostTier:
    """Keeps byte strings as virtual actions: store, share, read, free. All methods may be called from any thread.

    Hashing, comparing and copying run outside the lock. A segment is found by others only once its content is
    complete, so a half-filled one is never a hit; two threads that store the same content at once each fill a place,
    and whoever publishes second takes the first one's. A hit is always confirmed on content, whatever the hash: that
    takes less time than hashing did, and holds even when the writer of `data` changes it meanwhile. While bytes are
    compared or read they are held, so nothing moves them.

    Content is copied segment by segment while it is hashed. As long as it is not known how much of it is new, room is
    reserved for all of it; where there is none, it is copied only after all was hashed, into no more than it needs.
    """

    def __init__(self, area: SharedArea, hash: SegmentHash, segment_bytes: int) -> None:
        """Use all of `area`, which stays its owner's to close.

        segment_bytes: unit of deduplication, a multiple of 64; raises ConfigurationError for another.
        """
        if segment_bytes % ALIGNMENT or not ALIGNMENT <= segment_bytes <= MAXIMUM_BYTES - ALIGNMENT:
            raise ConfigurationError("segment_bytes", segment_bytes, f"a multiple of {ALIGNMENT}, below 2 GiB")
        self._hash = hash
        self._segment_bytes = segment_bytes
        self._memory: Bytes | None = area.array  # keeps it mapped
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
        intake = _Intake(self._mapped())
        try:
            self._take_in(data, intake)
            if not intake.reserved:
                self._add_late(intake)
        except BaseException:
            with self._lock:
                self._actions.abandon(intake.reserved or ())
                self._actions.let_go(intake.held)
            raise
        with self._lock:
            return self._publish(intake)

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
        memory = self._mapped()
        with self._lock:
            extents = self._actions.extents(numbers)
            self._actions.hold(numbers)
        try:
            total = sum(nbytes for _, nbytes in extents)
            if total != len(out):
                raise ValueError(f"out: {len(out)} bytes, expected {total}")
            source, target = raw_memory.address_of(memory), raw_memory.address_of(out)
            for offset, nbytes in extents:
                raw_memory.copy(target, source + offset, nbytes)
                target += nbytes
        finally:
            self.let_go(numbers)

    def compact(self) -> None:
        """Close the gaps between actions, as far as none of them is held; nobody can use the tier meanwhile."""
        with self._lock:
            self._mapped()
            self._compact()

    def close(self) -> None:
        """Let go of the area once those who read or write it now have finished; a second call does nothing.

        From now on `store`, `load` and `compact` raise PoolError; the rest is about numbers only and stays true.
        """
        with self._lock:
            self._memory = None

    def check(self) -> None:
        """Raise AssertionError when an invariant of the bookkeeping does not hold."""
        with self._lock:
            self._actions.check()

    def _mapped(self) -> Bytes:
        """The area, which stays mapped as long as the caller refers to it; raises PoolError once closed."""
        memory = self._memory
        if memory is None:
            raise PoolError("the host tier is closed")
        return memory

    def _take_in(self, data: Bytes, intake: _Intake) -> None:
        """Find or copy one segment after the other, each while the hash has just brought it into the cache."""
        start, size, content = raw_memory.address_of(data), self._segment_bytes, as_bytes(data)
        for place in range(0, len(data), size):
            segment = content[place : place + size]
            address, nbytes, digest = start + place, len(segment), self._hash.digest(segment)
            number = self._find(intake, address, nbytes, digest)
            if number is None:
                if intake.reserved is None:
                    intake.reserved = self._room_for(len(data))
                if intake.reserved:
                    target = self._address(intake.reserved[len(intake.numbers)])
                    raw_memory.copy(target, address, nbytes)
                    address = target
                number = intake.add(_Fresh(len(intake.numbers), address, nbytes, digest))
            intake.numbers.append(number)

    def _find(self, intake: _Intake, address: int, nbytes: int, digest: bytes) -> int | None:
        """The entry in `intake.numbers` of the same content; None when nobody has it."""
        for number in intake.same_digest.get(digest, ()):
            earlier = intake.fresh[~number]
            if earlier.nbytes == nbytes and raw_memory.equal(earlier.address, address, nbytes):
                return number
        with self._lock:
            candidates = self._actions.candidates(digest, nbytes)
            if not candidates:
                return None
            self._actions.hold(candidates)
        intake.held += candidates
        return next((number for number in candidates if raw_memory.equal(self._address(number), address, nbytes)), None)

    def _room_for(self, total: int) -> list[int]:
        """Actions for all segments of content of that many bytes, as if it were all new; empty without the room."""
        whole, rest = divmod(total, self._segment_bytes)
        with self._lock:
            try:
                return self._actions.reserve([self._segment_bytes] * whole + [rest] * bool(rest))
            except TierFullError:
                return []

    def _add_late(self, intake: _Intake) -> None:
        """Copy what is new now that it is known how much it is. Raises TierFullError."""
        if not intake.fresh:
            return
        with self._lock:
            intake.reserved = self._reserve([fresh.nbytes for fresh in intake.fresh])
            targets = [self._address(number) for number in intake.reserved]
        for target, fresh in zip(targets, intake.fresh, strict=True):
            raw_memory.copy(target, fresh.address, fresh.nbytes)

    def _publish(self, intake: _Intake) -> tuple[int, ...]:
        """Let what was added be found; the action of each segment, referred to. Under the lock."""
        fresh, numbers, reserved = intake.fresh, intake.numbers, intake.reserved or []
        added = reserved
        if len(reserved) > len(fresh):
            added = [reserved[each.place] for each in fresh]
            needed = set(added)
            self._actions.abandon([number for number in reserved if number not in needed])
        for place in self._actions.publish(added, [each.digest for each in fresh]):
            added[place] = self._publish_beside(fresh[place], added[place])
        result = tuple(added[~number] if number < 0 else number for number in numbers)
        if len(fresh) < len(numbers):
            first = {each.place for each in fresh}
            self._actions.acquire(number for place, number in enumerate(result) if place not in first)
        self._actions.let_go(intake.held)
        return result

    def _publish_beside(self, fresh: _Fresh, number: int) -> int:
        """What becomes of `number` where its digest is taken: the action of the same content, else itself.

        The digests collide, or another thread published the same content since we looked.
        """
        for twin in self._actions.candidates(fresh.digest, fresh.nbytes):
            if raw_memory.equal(self._address(twin), self._address(number), fresh.nbytes):
                self._actions.acquire((twin,))
                self._actions.abandon((number,))
                return twin
        self._actions.publish_beside(number, fresh.digest)
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
