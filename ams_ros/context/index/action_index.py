"""The action index: from the key of an input to what was computed from it (paper, section 3.2.3; spec C4)."""

from __future__ import annotations

import numpy as np

from ams_ros.context.hashing.protocol import Buffer, SegmentHash, as_bytes
from ams_ros.context.memory.digest_table import DigestTable
from ams_ros.context.memory.key_rows import KeyRows
from ams_ros.errors import ConfigurationError


class ActionIndex:
    """Maps keys to numbers. A number is found by the content its key was made from and by no other content.

    With a cryptographic hash the key stands for the content. With any other the index keeps a view of the content and
    compares it byte by byte; entries whose keys collide form a chain. Several numbers may have the same content: the
    one added last is found. Some 48 bytes an entry, key included. Not thread-safe: the pool calls it under its lock.
    """

    def __init__(self, hash: SegmentHash, rows: KeyRows | None = None) -> None:
        """`hash` is what the keys were made with. rows: where to keep them, None for rows of its own."""
        self._hash = hash
        self._key_bytes = len(hash.digest(b""))
        self._rows = KeyRows(self._key_bytes) if rows is None else rows
        self._table = DigestTable(self._key_bytes, self._rows)
        self._contents: dict[int, memoryview] = {}

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._table)

    def add(self, key: bytes, number: int, content: Buffer | None = None) -> int:
        """Enter `number` under `key`; `content`, needed unless the hash is cryptographic, is kept and must not change.

        Returns the row that keeps the key until it is removed. Raises ConfigurationError for a key of the wrong
        length, a missing content, or an entry that is there already.
        """
        view = self._check(key, content)
        if self._row(key, number) is not None:
            raise ConfigurationError("number", number, f"one that is not yet under key {key.hex()}")
        row = self._rows.take(key, number)
        self._table.add(row, key, beside=True)
        if view is not None:
            self._contents[row] = view
        return row

    def find(self, key: bytes, content: Buffer | None = None) -> int | None:
        """The number last added under `key` for that very content; None when there is none.

        Raises ConfigurationError for a key of the wrong length or a content that is missing.
        """
        view = self._check(key, content)
        for row in reversed(self._table.find(key)):
            if view is None or _same(self._contents[row], view):
                return self._rows.numbers[row]
        return None

    def remove(self, key: bytes, number: int) -> None:
        """Take out what `add` entered; raises ConfigurationError when it is not there."""
        row = self._row(key, number)
        if row is None:
            raise ConfigurationError("number", number, f"one that is under key {key.hex()}")
        self._table.remove(row)
        self._contents.pop(row, None)
        self._rows.give_back(row)

    def _row(self, key: bytes, number: int) -> int | None:
        """Where that entry is kept; None when there is none."""
        return next((row for row in self._table.find(key) if self._rows.numbers[row] == number), None)

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
