"""What it costs to put a prefix of the published pi0's size into a pool and to get it back, beside copying it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.benchmark.interleaved import Subject, interleave, percentile, ratio
from ams_ros.benchmark.pool.samples import MODEL, embeddings, input_keys, prefix_array, record
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import MIB, PoolOptions
from ams_ros.context.records import NewContext, NewVector, VectorKind


@dataclass(frozen=True, slots=True)
class PoolCopyCost:
    """Median milliseconds, and times a warm copy of the same bytes. put: new content. get: a fresh copy."""

    put_ms: float
    get_ms: float
    put_ratio_to_memcpy: float
    get_ratio_to_memcpy: float


def measure_pool_copy(rounds: int) -> PoolCopyCost:
    """Put, get and copy in turn, new content every round."""
    content = prefix_array(4)
    copied = np.zeros_like(content)
    key = input_keys(0)[0]
    situation = embeddings(1, 128, 4)[0]
    options = PoolOptions(path=None, host_bytes=64 * MIB, store="bench")
    pool = ContextPool(options)

    def put(number: int) -> None:
        vector = NewVector(VectorKind.PREFIX, "", content, key, 0.01)
        result = pool.put(NewContext(record(number, situation), (vector,)))
        assert result.new_bytes == content.nbytes, f"{result.new_bytes} bytes were new"

    def get(_: int) -> None:
        assert key in pool.fetch(MODEL, (key,))

    def renew(number: int) -> None:
        pool.evict(reference=f"bench-{number}")
        content.reshape(-1)[:: options.segment_bytes // content.itemsize] = number + 1

    subjects: dict[str, Subject] = {"memcpy": lambda _: np.copyto(copied, content), "put": put, "get": get}
    try:
        seconds = interleave(subjects, rounds, after=renew)
    finally:
        pool.close()
    return PoolCopyCost(
        put_ms=percentile(seconds["put"], 50, 1e-3),
        get_ms=percentile(seconds["get"], 50, 1e-3),
        put_ratio_to_memcpy=ratio(seconds["put"], seconds["memcpy"]),
        get_ratio_to_memcpy=ratio(seconds["get"], seconds["memcpy"]),
    )
