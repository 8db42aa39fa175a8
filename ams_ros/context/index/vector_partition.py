"""The embeddings of one model, instruction and outcome: compared one by one while few, by a graph when many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ams_ros.context.index.vector_graph import EXPANSION_SEARCH, VectorGraph
from ams_ros.context.index.vector_rows import NOBODY, Mask, Slots, VectorRows
from ams_ros.context.memory.half_rows import HalfArray
from ams_ros.types import Float32Array

_SWEEP = 4
"""Slots put into the graph under construction at every change: the cost of a new graph, about 0.1 ms a slot, is spread
over many changes and no single one waits for it."""

_TOLERATED = 0.5
"""Slots that belong to nobody, as a share of the taken ones, before the graph is built anew without them."""


class VectorPartition:
    """Vectors of one length, each in a slot of its own.

    Above `exact_limit` a graph is built beside the vectors, a few slots at every change; it serves once it has them
    all. A slot given up stays unused as long as a graph leads to it. When too many are, a second graph is built in the
    same way and takes the place of the first.
    """

    def __init__(self, dimension: int, exact_limit: int) -> None:
        """No vectors yet."""
        self._rows, self._limit = VectorRows(dimension), exact_limit
        self._count = 0
        self._graph: VectorGraph | None = None
        self._given_up: set[int] = set()
        self._free: list[int] = []
        self._next: VectorGraph | None = None
        self._swept = 0
        self._given_up_in_next: set[int] = set()

    def __len__(self) -> int:
        """Vectors held."""
        return self._count

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        return self._rows.dimension

    def add(self, number: int, vector: HalfArray) -> int:
        """Hold a vector for `number`; returns its slot."""
        if self._free:
            slot = self._free.pop()
            self._rows.fill(slot, number, vector)
        else:
            slot = self._rows.append((number,), vector[None])
        self._count += 1
        if self._graph is not None:
            self._graph.add(slot)
        if self._next is not None and slot < self._swept:
            self._next.add(slot)
        self._tend_graph()
        return slot

    def add_many(self, numbers: Sequence[int], vectors: HalfArray) -> range:
        """Hold vectors (n, dimension) for `numbers`; returns their slots. Builds at once the graph they call for."""
        first = self._rows.append(numbers, vectors)
        slots = range(first, first + len(numbers))
        self._count += len(numbers)
        if self._graph is not None:
            self._graph.add_many(np.arange(slots.start, slots.stop))
        elif self._count > self._limit:
            self._begin_graph()
            self._sweep(self._rows.slots)
        self._tend_graph()
        return slots

    def remove(self, slot: int) -> None:
        """Give up a slot."""
        self._rows.clear(slot)
        self._count -= 1
        in_next = self._next is not None and slot < self._swept
        if in_next:
            self._given_up_in_next.add(slot)
        if in_next or self._graph is not None:
            self._given_up.add(slot)
        else:
            self._free.append(slot)
        self._tend_graph()

    def vector(self, slot: int) -> HalfArray:
        """A copy of the vector in a slot."""
        return self._rows.row(slot).copy()

    def search(self, query: Float32Array, count: int, exact: bool, only: Mask | None = None) -> list[tuple[int, float]]:
        """At most `count` (number, cosine), most similar first.

        only: by number, whether it is wanted. Those are compared one by one: a graph does not know which they are, and
        would have to be walked through all the others to miss none.
        """
        wanted = min(count, self._count)
        if wanted < 1:
            return []
        half = query.astype(np.float16)
        slots = None
        if not exact and only is None and self._graph is not None:
            slots = self._walk(self._graph, half, wanted)
        if slots is None:
            slots = self._rows.scan(half, wanted, only)
        vectors = self._rows.vectors(slots)
        cosines = vectors @ query / np.linalg.norm(vectors, axis=1)
        hits = zip(self._rows.numbers(slots).tolist(), cosines.tolist(), strict=True)
        found = sorted(hits, key=lambda hit: (-hit[1], hit[0]))
        return found[:wanted]

    def _walk(self, graph: VectorGraph, query: HalfArray, wanted: int) -> Slots | None:
        """Taken slots near the query, by the graph; None when it leads to fewer than wanted."""
        breadth = max(EXPANSION_SEARCH, 2 * wanted)
        while True:
            slots = graph.nearest(query, breadth)
            taken: Slots = slots[self._rows.numbers(slots) != NOBODY]
            if len(taken) >= wanted:
                return taken[:wanted]
            if breadth >= len(graph) // 4:
                return None
            breadth *= 4

    def _tend_graph(self) -> None:
        """Begin a graph when one is called for, bring the one that is begun forward, drop one nobody needs."""
        if self._count <= self._limit // 2 and (self._graph is not None or self._next is not None):
            self._graph = self._next = None
            self._free += self._given_up
            self._given_up, self._given_up_in_next = set(), set()
        if self._next is None and self._needs_graph():
            self._begin_graph()
        self._sweep(_SWEEP)

    def _begin_graph(self) -> None:
        if self._next is None:
            self._next, self._swept = VectorGraph(self._rows), 0

    def _needs_graph(self) -> bool:
        if self._graph is None:
            return self._count > self._limit
        return len(self._given_up) > _TOLERATED * self._count

    def _sweep(self, slots: int) -> None:
        """Put that many more slots into the graph under construction; let it serve when it has all of them."""
        stop = min(self._swept + slots, self._rows.slots)
        swept = np.arange(self._swept, stop)
        if self._next is None:
            return
        self._next.add_many(swept[self._rows.numbers(swept) != NOBODY])
        self._swept = stop
        if stop == self._rows.slots:
            self._graph, self._next = self._next, None
            self._free += self._given_up - self._given_up_in_next
            self._given_up, self._given_up_in_next = self._given_up_in_next, set()
