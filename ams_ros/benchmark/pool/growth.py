"""How lookups grow with the number of contexts, on the indexes alone: filling a whole pool so far would take hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ams_ros.benchmark.interleaved import interleave, percentile
from ams_ros.benchmark.pool.samples import INSTRUCTION, MODEL, embeddings, input_keys
from ams_ros.context.hashing.blake3 import Blake3Hash
from ams_ros.context.index.action_index import ActionIndex
from ams_ros.context.index.similarity import SimilarityIndex
from ams_ros.context.records import ContextOutcome
from ams_ros.types import Float32Array, Float64Array

NEAREST = 5
_CHUNK = 50_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """Lookups with so many contexts of one model, instruction and outcome, the hardest case.

    exact: by input key. similar: the five most similar. similar_exact: the same, compared with every one.
    recall_at_5: share of the truly five most similar that were found.
    """

    contexts: int
    exact_us_p50: float
    exact_us_p99: float
    similar_ms_p50: float
    similar_ms_p99: float
    similar_exact_ms: float
    recall_at_5: float


def measure_growth(sizes: Sequence[int], dimensions: int, queries: int, seed: int) -> Iterator[GrowthPoint]:
    """Fill the indexes up to each of the rising `sizes` and look up there."""
    filled = _Indexes(dimensions, seed)
    for size in sizes:
        filled.fill(size)
        yield filled.measure(queries)


class _Indexes:
    """Both indexes, growing together."""

    def __init__(self, dimensions: int, seed: int) -> None:
        self._dimensions, self._seed = dimensions, seed
        self._actions, self._similar = ActionIndex(Blake3Hash()), SimilarityIndex()
        self._count = 0

    def fill(self, size: int) -> None:
        """Add contexts until there are `size`."""
        while self._count < size:
            count = min(_CHUNK, size - self._count)
            numbers = range(self._count, self._count + count)
            for number in numbers:
                for key in input_keys(number):
                    self._actions.add(key, number)
            rows = embeddings(count, self._dimensions, self._seed + self._count)
            self._similar.add_many(numbers, MODEL.digest, INSTRUCTION, ContextOutcome.SUCCEEDED, rows)
            self._count += count

    def measure(self, queries: int) -> GrowthPoint:
        """Look up keys that are there and situations that are near to some."""
        rng = np.random.default_rng(self._seed + 1)
        wanted = [input_keys(int(number))[0] for number in rng.integers(0, self._count, 10 * queries)]
        near = self._situations(queries)
        exact = _timed(self._actions.find, wanted)
        similar = _timed(lambda query: self._search(query, exact=False), near)
        few = near[: max(20, queries // 10)]
        compared = _timed(lambda query: self._search(query, exact=True), few)
        recalls = [len({*self._search(query, False)} & {*self._search(query, True)}) / NEAREST for query in few]
        return GrowthPoint(
            contexts=self._count,
            exact_us_p50=percentile(exact, 50, 1e-6),
            exact_us_p99=percentile(exact, 99, 1e-6),
            similar_ms_p50=percentile(similar, 50, 1e-3),
            similar_ms_p99=percentile(similar, 99, 1e-3),
            similar_exact_ms=percentile(compared, 50, 1e-3),
            recall_at_5=float(np.mean(recalls)),
        )

    def _search(self, query: Float32Array, exact: bool) -> list[int]:
        outcomes = (ContextOutcome.SUCCEEDED,)
        found = self._similar.search(MODEL.digest, INSTRUCTION, outcomes, query, NEAREST, exact=exact)
        return [number for number, _ in found]

    def _situations(self, queries: int) -> list[Float32Array]:
        """Situations of episodes that are not held."""
        return list(embeddings(queries, self._dimensions, self._seed + 1_000_003))


def _timed(look: Callable[[T], object], wanted: Sequence[T]) -> Float64Array:
    return interleave({"look": lambda number: look(wanted[number])}, len(wanted) - 10, warm_up=10)["look"]
