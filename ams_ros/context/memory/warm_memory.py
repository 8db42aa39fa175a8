"""Large arrays in memory that was used before: a page touched for the first time costs more than copying into it."""

from __future__ import annotations

import weakref
from collections import deque

import numpy as np
from numpy.typing import NDArray

LEAST_BYTES = 2**18
"""Smaller arrays come from the C library, which keeps them warm by itself."""

KEPT = 4
"""Buffers that wait to be used again; a fifth goes back to the system."""


class WarmMemory:
    """Hands out arrays and takes their memory back when the last view of them is gone. Any thread may call it."""

    def __init__(self) -> None:
        self._waiting: deque[bytearray] = deque(maxlen=KEPT)

    def empty(self, nbytes: int) -> NDArray[np.uint8]:
        """(nbytes,) uint8 of any content, nobody else's."""
        if nbytes < LEAST_BYTES:
            return np.empty(nbytes, np.uint8)
        buffer = self._take(nbytes)
        # Every view of this array refers to it, and it to the buffer: numpy does not look through foreign memory.
        whole = np.frombuffer(buffer, np.uint8)
        weakref.finalize(whole, self._waiting.append, buffer).atexit = False
        return whole[:nbytes]

    def _take(self, nbytes: int) -> bytearray:
        """A buffer of that size or up to a quarter more."""
        for _ in range(len(self._waiting)):
            try:
                buffer = self._waiting.popleft()
            except IndexError:  # another thread was quicker
                break
            if nbytes <= len(buffer) <= nbytes + nbytes // 4:
                return buffer
            self._waiting.append(buffer)
        return bytearray(nbytes)
