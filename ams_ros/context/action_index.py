"""The action index: from the key of an input to what was computed from it (paper, section 3.2.3; spec C4)."""

from __future__ import annotations

import numpy as np

from ams_ros.context.hashing.protocol import Buffer, SegmentHash, as_bytes
from ams_ros.errors import ConfigurationError


class ActionIndex:
    """Maps keys to numbers. A number is found by the content its key was made from and by no other content.

    With a cryptographic hash the key stands for the content. With any other the index keeps a view of the content and
    compares it byte by byte; entries whose keys collide form a chain. Several numbers may have the same content: the
    one added last is found. Not thread-safe: the pool calls it under its own lock.
    """

    def __init__(self, hash: SegmentHash) -> None:
        """`hash` is what the keys were made with."""
        self._hash = hash
        self._key_bytes = len(hash.digest(b""))
        # Nearly every key has one number; a tuple for each would cost 48 bytes more.
        self._chains: dict[bytes, int | tuple[int, ...]] = {}
        self._contents: dict[tuple[bytes, int], memoryview] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many entries there are."""
        return self._count

    def add(self, key: bytes, number: int, content: Buffer | None = None) -> None:
        """Enter `number` under `key`; `content`, needed unless the hash is cryptographic, is kept and must not change.

        Raises ConfigurationError for a key of the wrong length, a missing content, or an entry that is there already.
        """
        view = self._check(key, content)
        chain = self._chain(key)
        if number in chain:
            raise ConfigurationError("number", number, f"one that is not yet under key {key.hex()}")
        self._chains[key] = (*chain, number) if chain else number
        if view is not None:
            self._contents[key, number] = view
        self._count += 1

    def find(self, key: bytes, content: Buffer | None = None) -> int | None:
        """The number last added under `key` for that very content; None when there is none.

        Raises ConfigurationError for a key of the wrong length or a content that is missing.
        """
        view = self._check(key, content)
        for number in reversed(self._chain(key)):
            if view is None or _same(self._contents[key, number], view):
                return number
        return None

    def remove(self, key: bytes, number: int) -> None:
        """Take out what `add` entered; raises ConfigurationError when it is not there."""
        chain = self._chain(key)
        if number not in chain:
            raise ConfigurationError("number", number, f"one that is under key {key.hex()}")
        rest = tuple(other for other in chain if other != number)
        if rest:
            self._chains[key] = rest if len(rest) > 1 else rest[0]
        else:
            del self._chains[key]
        self._contents.pop((key, number), None)
        self._count -= 1

    def _chain(self, key: bytes) -> tuple[int, ...]:
        """Numbers under that key, in the order they were added."""
        chain = self._chains.get(key, ())
        return (chain,) if isinstance(chain, int) else chain

    def _check(self, key: bytes, content: Buffer | None) -> memoryview | None:
        """The content to confirm on; None when the key needs no confirmation."""
        if len(key) != self._key_bytes:
            raise ConfigurationError("key", f"{len(key)} bytes", f"{self._key_bytes} bytes of {self._hash.name}")
        if self._hash.cryptographic:
            return None
        if content is None:
            raise ConfigurationError("content", None, f"the content itself: equal {self._hash.name} keys prove nothing")
        return as_bytes(content)


def _same(first: memoryview, second: memoryview) -> bool:
    """Whether both hold the same bytes."""
    return len(first) == len(second) and np.array_equal(np.frombuffer(first, np.uint8), np.frombuffer(second, np.uint8))
