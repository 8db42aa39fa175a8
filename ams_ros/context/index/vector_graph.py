"""The vector index for many contexts: a navigable graph over rows that lie elsewhere.

usearch (https://github.com/unum-cloud/USearch), HNSW of Malkov and Yashunin 2016 (https://arxiv.org/abs/1603.09320).
Nothing is ever removed from a graph: usearch 2.26 gives the place of a removed vector to the next one added while other
vectors still link to it. Measured with 20,000 vectors in separate clusters, two thirds of them removed and as many
others added: recall at 5 for those left fell from 0.99 to 0.3; without removing it stays at 0.99
(https://github.com/unum-cloud/USearch/issues/399 is of that kind). Who searches leaves out slots that belong to nobody.
"""

from __future__ import annotations

import ctypes

import numpy as np

# usearch 2.26 carries a C++ library of its own and exports it: what is loaded later, rclpy among it, would bind to that
# one and crash. The system's own, loaded for all before, takes precedence.
ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)

from usearch.index import Index  # noqa: E402

from ams_ros.context.index.vector_rows import Slots, VectorRows  # noqa: E402
from ams_ros.context.memory.half_rows import HalfArray  # noqa: E402

CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 64, 192
"""Links per vector, and breadth of search when adding and looking up: on embeddings mixed from those of simulated
episodes recall at 5 among 1e5 is 0.96; an EXPANSION_ADD of 128 makes it no better and takes twice as long."""

_WORTH_THREADS = 256


class VectorGraph:
    """Finds the slots whose vectors are nearest to a query without comparing with every one."""

    def __init__(self, rows: VectorRows) -> None:
        """An empty graph; a row it was given must not be written to as long as the graph lives."""
        self._rows = rows  # holds the memory that the index points at
        self._index = Index(
            ndim=rows.dimension,
            metric="ip",
            dtype="f16",
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
            expansion_search=EXPANSION_SEARCH,
            enable_key_lookups=False,
        )

    def __len__(self) -> int:
        """Slots in the graph, those that belong to nobody any more included."""
        return len(self._index)

    def add(self, slot: int) -> None:
        """Add one slot that is not in the graph yet."""
        self._index.add(slot, self._rows.row(slot), copy=False, threads=1)

    def add_many(self, slots: Slots) -> None:
        """Add slots in rising order, none of which is in the graph yet; with all cores when they are many."""
        runs = np.split(slots, np.flatnonzero(np.diff(slots) != 1) + 1) if len(slots) else []
        for run in runs:
            for first, rows in self._rows.stretches(int(run[0]), int(run[-1]) + 1):
                threads = 0 if len(rows) >= _WORTH_THREADS else 1
                self._index.add(np.arange(first, first + len(rows)), rows, copy=False, threads=threads)

    def nearest(self, query: HalfArray, count: int) -> Slots:
        """About the `count` nearest slots, never more."""
        wanted = min(count, len(self._index))
        if not wanted:
            return np.empty(0, np.int64)
        slots: Slots = self._index.search(query, wanted, threads=1).keys.astype(np.int64)
        return slots
