"""Embeddings in memory: rows of half precision that never move, so that a vector graph can point at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from usearch.index import search

from ams_ros.context.memory.half_rows import HalfArray
from ams_ros.types import Float32Array

Slots = NDArray[np.signedinteger[Any]]
Mask = NDArray[np.bool_]

NOBODY = -1
"""Stands in a slot that belongs to no context."""

_FIRST_BLOCK = 64


class VectorRows:
    """Vectors of length 1 by slot, each with the number of the context it belongs to.

    This is the only copy of a context's embedding; half precision moves a cosine by less than 1e-3. Blocks double in
    size, so that there are few of them to scan, and stay where they are; memory never written to costs nothing.
    """

    def __init__(self, dimension: int) -> None:
        """No slots yet; every vector has `dimension` numbers."""
        self.dimension = dimension
        self._blocks: list[HalfArray] = []
        self._numbers: Slots = np.full(_FIRST_BLOCK, NOBODY, np.int32)
        self._slots = 0

    @property
    def slots(self) -> int:
        """How many slots there are, taken or not."""
        return self._slots

    @property
    def live(self) -> Slots:
        """The slots that are taken, in order."""
        return np.flatnonzero(self._numbers[: self._slots] != NOBODY)

    def append(self, numbers: Sequence[int], vectors: HalfArray) -> int:
        """Add a slot for each of `numbers` and row of `vectors`; returns the first of them."""
        first, self._slots = self._slots, self._slots + len(numbers)
        if self._slots > len(self._numbers):
            room = max(self._slots, 2 * len(self._numbers)) - len(self._numbers)
            self._numbers = np.concatenate([self._numbers, np.full(room, NOBODY, np.int32)])
        while self._slots > _start_of(len(self._blocks)):
            block = len(self._blocks)
            self._blocks.append(np.empty((_start_of(block + 1) - _start_of(block), self.dimension), np.float16))
        self._numbers[first : self._slots] = numbers
        for slot, rows in self.stretches(first, self._slots):
            rows[:] = vectors[slot - first : slot - first + len(rows)]
        return first

    def fill(self, slot: int, number: int, vector: HalfArray) -> None:
        """Give a slot that belongs to nobody to a context."""
        self._numbers[slot] = number
        self.row(slot)[:] = vector

    def clear(self, slot: int) -> None:
        """Let a slot belong to nobody; its vector stays until the slot is filled again."""
        self._numbers[slot] = NOBODY

    def row(self, slot: int) -> HalfArray:
        """The vector in a slot, as it lies in memory."""
        block = _block_of(slot)
        row: HalfArray = self._blocks[block][slot - _start_of(block)]
        return row

    def numbers(self, slots: Slots) -> Slots:
        """Whom the slots belong to."""
        return self._numbers[slots]

    def vectors(self, slots: Slots) -> Float32Array:
        """The vectors in the slots, (n, dimension), at most a few of them: one by one."""
        rows = [self.row(slot) for slot in slots.tolist()]
        return np.array(rows, np.float32).reshape(len(rows), self.dimension)

    def stretches(self, start: int, stop: int) -> Iterator[tuple[int, HalfArray]]:
        """The vectors of slots start..stop - 1 as they lie in memory: first slot and rows of each stretch."""
        while start < stop:
            block = _block_of(start)
            end = min(stop, _start_of(block + 1))
            yield start, self._blocks[block][start - _start_of(block) : end - _start_of(block)]
            start = end

    def scan(self, query: HalfArray, count: int, only: Mask | None = None) -> Slots:
        """The `count` taken slots nearest to `query` by comparing with every one, in no order; `count` at least 1.

        only: by number of a context, whether its slot counts; None: all do.
        """
        best: list[tuple[float, int]] = []
        for start, rows in self.stretches(0, self._slots):
            numbers = self._numbers[start : start + len(rows)]
            taken = np.flatnonzero(numbers != NOBODY)
            if only is not None:
                taken = taken[only[numbers[taken]]]
            candidates = rows if len(taken) == len(rows) else rows[taken]
            if not len(candidates):
                continue
            found = search(candidates, query, min(count, len(candidates)), "ip", exact=True, threads=1)
            best += zip(found.distances.tolist(), (start + taken[found.keys.astype(np.int64)]).tolist(), strict=True)
        best.sort()
        return np.array([slot for _, slot in best[:count]], np.int64)


def _block_of(slot: int) -> int:
    """Blocks hold 64, 64, 128, 256, ... rows."""
    return (slot // _FIRST_BLOCK).bit_length()


def _start_of(block: int) -> int:
    """First slot of a block."""
    return _FIRST_BLOCK << (block - 1) if block else 0
