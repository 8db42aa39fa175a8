"""A table of input keys in shared memory, so that inference learns without a service call that the pool has nothing.

Layout, little endian: 64 bytes of header (magic, version, capacity, keys listed, whether some are unlisted), then
`capacity` places of PREFIX_BYTES each; a place of zeros is empty. A key's first PREFIX_BYTES stand for it: keys are
cryptographic hashes, so two with the same prefix are not met. Collisions of places are probed linearly, and removing
moves later entries of the run back, so that there are no tombstones and nothing is ever rebuilt.

One process writes, any number read without a lock. A reader that looks while an entry is written or moved may answer
wrongly once, which costs a service call or a computation; it never reads outside the buffer and never waits.
"""

from __future__ import annotations

import mmap
import struct

from ams_ros.errors import ConfigurationError, PoolError

PREFIX_BYTES = 16
HEADER_BYTES = 64
FULLNESS = 0.6
"""Share of places that may be taken: three to four are then looked at to find that a key is absent."""

_HEADER = struct.Struct("<8sIIQQQ")
_MAGIC, _VERSION = b"AMSKEYBD", 1
_COUNT_AT, _UNLISTED_AT = 24, 32
_EMPTY = bytes(PREFIX_BYTES)
_LONGEST_RUN = 4096
"""Places a reader looks at before it answers "maybe"; runs are far shorter unless the memory is damaged."""

_OVERWRITTEN = "key board: no empty place is left, somebody else has written to its memory"

SharedBuffer = bytearray | memoryview | mmap.mmap


class KeyBoardReader:
    """Reads a board that another process writes."""

    def __init__(self, buffer: SharedBuffer) -> None:
        """Attach to a written board; raises PoolError when `buffer` holds none or one that would not fit into it."""
        view = memoryview(buffer).cast("B")
        if len(view) < HEADER_BYTES:
            raise PoolError(f"key board: {len(view)} bytes, a board has at least {HEADER_BYTES}")
        magic, version, prefix_bytes, capacity, _, _ = _HEADER.unpack_from(view)
        if (magic, version, prefix_bytes) != (_MAGIC, _VERSION, PREFIX_BYTES):
            raise PoolError(f"key board: the buffer begins with {bytes(view[:16])!r}, not with a board of this version")
        if not 1 <= capacity <= (len(view) - HEADER_BYTES) // PREFIX_BYTES:
            raise PoolError(f"key board: claims {capacity} places in {len(view)} bytes")
        # The capacity is read once: whatever happens to the header later cannot lead a reader out of the buffer.
        self._view, self._capacity = view, int(capacity)

    @property
    def capacity(self) -> int:
        """Places in the table."""
        return self._capacity

    def might_have(self, key: bytes) -> bool:
        """Whether the key is listed, or whether some keys found no place and it may be one of them."""
        prefix = _prefix(key)
        place = self._home(prefix)
        for _ in range(min(self._capacity, _LONGEST_RUN)):
            found = self._read(place)
            if found == prefix:
                return True
            if found == _EMPTY:
                return self._view[_UNLISTED_AT] != 0
            place = (place + 1) % self._capacity
        return True

    def close(self) -> None:
        """Let go of the buffer, which cannot be closed while it is read; the board cannot be used any more."""
        self._view.release()

    def _home(self, prefix: bytes) -> int:
        return int.from_bytes(prefix[:8], "little") % self._capacity

    def _read(self, place: int) -> bytes:
        start = HEADER_BYTES + place * PREFIX_BYTES
        return bytes(self._view[start : start + PREFIX_BYTES])


class KeyBoard(KeyBoardReader):
    """The one writer of a board: a set of keys."""

    def __init__(self, buffer: SharedBuffer) -> None:
        """Make an empty board of all of `buffer`; raises ConfigurationError when it is read-only or too small."""
        view = memoryview(buffer).cast("B")
        capacity = (len(view) - HEADER_BYTES) // PREFIX_BYTES
        if view.readonly or capacity < 2:
            found = f"{len(view)} bytes, {'read-only' if view.readonly else 'writable'}"
            raise ConfigurationError("buffer of the key board", found, f"writable, at least {bytes_for(1)} bytes")
        view[:8] = bytes(8)
        for start in range(HEADER_BYTES, len(view), 2**20):
            view[start : start + 2**20] = bytes(len(view[start : start + 2**20]))
        _HEADER.pack_into(view, 0, bytes(8), _VERSION, PREFIX_BYTES, capacity, 0, 0)
        view[:8] = _MAGIC
        super().__init__(view)
        self._count = 0
        self._unlisted: set[bytes] = set()

    def __len__(self) -> int:
        """Keys added and not removed, listed or not."""
        return self._count + len(self._unlisted)

    def add(self, key: bytes) -> None:
        """List a key; one that is listed already changes nothing.

        A full board takes no more: readers then answer "maybe" to every key until enough were removed.
        """
        prefix = _prefix(key)
        place, listed = self._find(prefix)
        if listed or prefix in self._unlisted:
            return
        if self._count + 1 > self._capacity * FULLNESS:
            self._unlisted.add(prefix)
            self._publish()
            return
        self._write(place, prefix)
        self._count += 1
        self._publish()

    def remove(self, key: bytes) -> None:
        """Take a key off; one that is not there changes nothing."""
        prefix = _prefix(key)
        place, listed = self._find(prefix)
        if not listed:
            self._unlisted.discard(prefix)
        else:
            self._close_gap(place)
            self._count -= 1
            if self._unlisted:
                waiting = self._unlisted.pop()
                self._write(self._find(waiting)[0], waiting)
                self._count += 1
        self._publish()

    def _find(self, prefix: bytes) -> tuple[int, bool]:
        """Where the prefix is listed, or the empty place where it would be."""
        home = self._home(prefix)
        for step in range(self._capacity):
            place = (home + step) % self._capacity
            found = self._read(place)
            if found in (prefix, _EMPTY):
                return place, found == prefix
        raise PoolError(_OVERWRITTEN)

    def _close_gap(self, hole: int) -> None:
        """Empty a place and move back what would no longer be reached over it (Knuth, volume 3, algorithm 6.4 R)."""
        gap = hole
        for step in range(1, self._capacity):
            place = (hole + step) % self._capacity
            prefix = self._read(place)
            if prefix == _EMPTY:
                self._write(gap, _EMPTY)
                return
            if (place - self._home(prefix)) % self._capacity >= (place - gap) % self._capacity:
                self._write(gap, prefix)
                gap = place
        raise PoolError(_OVERWRITTEN)

    def _write(self, place: int, prefix: bytes) -> None:
        start = HEADER_BYTES + place * PREFIX_BYTES
        self._view[start : start + PREFIX_BYTES] = prefix

    def _publish(self) -> None:
        struct.pack_into("<Q", self._view, _COUNT_AT, self._count)
        self._view[_UNLISTED_AT] = 1 if self._unlisted else 0


def bytes_for(keys: int) -> int:
    """Size of a buffer whose board lists that many keys; raises ConfigurationError below 1."""
    if keys < 1:
        raise ConfigurationError("keys of the key board", keys, "at least 1")
    return HEADER_BYTES + PREFIX_BYTES * (int(keys / FULLNESS) + 2)


def _prefix(key: bytes) -> bytes:
    """What stands for a key in the table; never that of an empty place."""
    if len(key) < PREFIX_BYTES:
        raise ConfigurationError("input key", f"{len(key)} bytes", f"at least {PREFIX_BYTES} bytes")
    prefix = bytes(key[:PREFIX_BYTES])
    return prefix if prefix != _EMPTY else b"\x01" + prefix[1:]
