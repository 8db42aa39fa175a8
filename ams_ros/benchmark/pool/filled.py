"""A whole pool with many contexts: what a look-up takes, and what a context costs besides its content."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from itertools import islice

import numpy as np
import psutil

from ams_ros.benchmark.interleaved import Subject, interleave, percentile
from ams_ros.benchmark.pool.request import SMALLEST
from ams_ros.benchmark.pool.samples import INSTRUCTION, MODEL, embeddings, input_keys, small_contexts
from ams_ros.context.host.leases import Lease
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import MIB, PoolOptions
from ams_ros.context.records import ContextOutcome
from ams_ros.context.store import SimilarQuery
from ams_ros.types import Float64Array

NEAREST = 5
_WARM = 100
_ROUNDS_PER_QUERY = 10


@dataclass(frozen=True, slots=True)
class FilledPool:
    """Look-ups in a pool of `contexts` contexts of one instruction and outcome, of eight small vectors each.

    lookup_exact: by input key, its lease granted. lookup_similar: the five most similar. lookup_missed: by a key the
    pool has not. exact_growth: (contexts, median us) of exact look-ups on the way there.
    put_us: median of putting one of the contexts.
    bytes_per_context_overhead: private memory and rounding up in shared memory, per context, beyond its content.
    """

    contexts: int
    lookup_exact_us_p50: float
    lookup_exact_us_p99: float
    lookup_missed_us_p99: float
    lookup_similar_ms_p50: float
    lookup_similar_ms_p99: float
    exact_growth: tuple[tuple[int, float], ...]
    put_us: float
    bytes_per_context_overhead: float


def measure_filled_pool(contexts: int, dimensions: int, queries: int, seed: int) -> FilledPool:
    """Fill a pool without a disk and look up in it."""
    # Eight vectors in pieces of 64 bytes, and some.
    options = PoolOptions(path=None, host_bytes=64 * MIB + 2048 * contexts, board_keys=4 * contexts, store="bench")
    pool = ContextPool(options)
    try:
        filling = _Filling(pool, contexts, dimensions, seed)
        growth = []
        for size in sorted({SMALLEST, 10 * SMALLEST, contexts}):
            if size <= contexts:
                filling.fill(size)
                exact, missed = _look_up(pool, size, queries, seed)
                growth.append((size, percentile(exact, 50, 1e-6)))
        similar = _look_for_similar(pool, dimensions, queries, seed)
    finally:
        pool.close()
    return FilledPool(
        contexts=contexts,
        lookup_exact_us_p50=percentile(exact, 50, 1e-6),
        lookup_exact_us_p99=percentile(exact, 99, 1e-6),
        lookup_missed_us_p99=percentile(missed, 99, 1e-6),
        lookup_similar_ms_p50=percentile(similar, 50, 1e-3),
        lookup_similar_ms_p99=percentile(similar, 99, 1e-3),
        exact_growth=tuple(growth),
        put_us=percentile(filling.seconds, 50, 1e-6),
        bytes_per_context_overhead=filling.overhead,
    )


class _Filling:
    """Puts made-up contexts and watches what they cost.

    seconds: of each put of the last call. overhead: bytes per context beyond its content, from the SMALLEST on.
    """

    def __init__(self, pool: ContextPool, contexts: int, dimensions: int, seed: int) -> None:
        self._pool, self._samples = pool, small_contexts(contexts, dimensions, seed)
        self._waiting = [next(self._samples)]
        self._count, self._taken_at_first = 0, 0.0
        self.seconds, self.overhead = np.zeros(0), 0.0

    def fill(self, size: int) -> None:
        """Put until the pool holds `size` contexts."""

        def make_next(_: int) -> None:
            self._waiting.extend(islice(self._samples, 1))

        puts: dict[str, Subject] = {"put": lambda _: self._pool.put(self._waiting.pop())}
        self.seconds = interleave(puts, size - self._count, warm_up=0, after=make_next)["put"]
        self._count = size
        assert self._pool.stats().contexts == size, f"{size} contexts were put, {self._pool.stats().contexts} are there"
        if size == SMALLEST:
            self._taken_at_first = _taken(self._pool)
        else:
            self.overhead = (_taken(self._pool) - self._taken_at_first) / (size - SMALLEST)


def _taken(pool: ContextPool) -> float:
    """Bytes the pool takes besides content: this process's own memory, and what shared memory is rounded up by."""
    gc.collect()
    memory, stats = psutil.Process().memory_info(), pool.stats()
    return float(memory.rss - memory.shared + stats.host_bytes - stats.logical_bytes)


def _look_up(pool: ContextPool, contexts: int, queries: int, seed: int) -> tuple[Float64Array, Float64Array]:
    rng = np.random.default_rng(seed + 1)
    rounds = _ROUNDS_PER_QUERY * queries
    wanted = [input_keys(int(number))[0] for number in rng.integers(0, contexts, rounds + _WARM)]
    absent = [input_keys(contexts + number)[0] for number in range(rounds + _WARM)]
    leases: list[Lease] = []

    def find(number: int) -> None:
        lease = pool.find(MODEL, (wanted[number],)).lease
        assert lease is not None, "a key that was put is not found"
        leases.append(lease)

    def give_back(_: int) -> None:
        pool.release(leases.pop().number)

    subjects: dict[str, Subject] = {"find": find, "miss": lambda number: pool.find(MODEL, (absent[number],))}
    seconds = interleave(subjects, rounds, warm_up=_WARM, after=give_back)
    return seconds["find"], seconds["miss"]


def _look_for_similar(pool: ContextPool, dimensions: int, queries: int, seed: int) -> Float64Array:
    situations = embeddings(queries + _WARM, dimensions, seed + 1_000_003)

    def look(number: int) -> None:
        query = SimilarQuery(MODEL, INSTRUCTION, situations[number], (ContextOutcome.SUCCEEDED,), NEAREST)
        assert len(pool.similar(query)) == NEAREST

    return interleave({"similar": look}, queries, warm_up=_WARM)["similar"]
