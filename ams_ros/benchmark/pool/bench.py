"""All figures of the context pool, one part after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ams_ros.benchmark.pool.copy import measure_pool_copy
from ams_ros.benchmark.pool.disk_copy import measure_disk_copy
from ams_ros.benchmark.pool.episodes import SEED, store_episodes
from ams_ros.benchmark.pool.eviction import compare_policies, compose_trace
from ams_ros.benchmark.pool.filled import measure_filled_pool
from ams_ros.benchmark.pool.growth import measure_growth
from ams_ros.benchmark.pool.hashing import measure_hashing
from ams_ros.benchmark.pool.host_copy import measure_host_copy
from ams_ros.benchmark.pool.request import PoolBenchRequest
from ams_ros.context.index.embedding import DIMENSION
from ams_ros.context.pool.pool_options import PoolOptions

ROOMS = (0.1, 0.3, 0.6)
"""Shares of all bytes for which eviction policies are compared."""


Service = Callable[[int, int], Mapping[str, float]]
"""Measures the pool's node: given calls and rounds, its figures by name."""


def measure_pool(
    request: PoolBenchRequest, folder: Path, service: Service, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Every figure by its name in the JSON form. folder: for what must lie on disk. tell: is given what comes next."""
    tell("hashing and copying")
    hashing, host = measure_hashing(request.few(100)), measure_host_copy(request.few(100))
    copy = measure_pool_copy(request.few(200))
    disk = measure_disk_copy(folder, request.few(40))
    tell("the node's services")
    figures: dict[str, Any] = dict(service(request.few(2000), request.few(200)))
    tell(f"a pool of {request.contexts} contexts")
    filled = measure_filled_pool(request.contexts, DIMENSION, request.few(2000), request.seed)
    figures |= {
        **asdict(filled),
        "growth_exact_to_logarithm": against_logarithm(filled.exact_growth),
        "memcpy_gb_s": hashing.memcpy_gb_s,
        "hash_gb_s": hashing.hash_gb_s[PoolOptions().hash],
        "hash_gb_s_by_name": hashing.hash_gb_s,
        **asdict(copy),
        "host_put_ratio_by_hash": host.put,
        "host_put_known_ratio_by_hash": host.put_known,
        "host_get_ratio": host.get,
        **{f"disk_{name}": value for name, value in asdict(disk).items()},
    }
    tell(f"the cubes task, {request.repeats} times")
    figures |= _episodes(request)
    tell(f"indexes of up to {request.largest} contexts")
    figures |= _growth(request)
    return figures


def _episodes(request: PoolBenchRequest) -> dict[str, Any]:
    same = store_episodes(request.policy, [SEED] * request.repeats)
    different = store_episodes(request.policy, range(SEED, SEED + request.repeats))
    trace = compose_trace(different.episodes, 100, request.seed)
    return {
        "dedup_ratio": same.ratio,
        "dedup_ratio_different_seeds": different.ratio,
        "dedup_repeats": request.repeats,
        "bytes_per_context_cubes": different.logical_bytes / different.contexts,
        "eviction": [asdict(kept) for kept in compare_policies(trace, ROOMS)],
    }


def _growth(request: PoolBenchRequest) -> dict[str, Any]:
    points = list(measure_growth(request.sizes, DIMENSION, request.few(1000), request.seed))
    last = points[-1]
    return {
        "growth": [asdict(point) for point in points],
        "growth_similar_to_logarithm": against_logarithm([(point.contexts, point.similar_ms_p50) for point in points]),
        "lookup_similar_exact_ms": last.similar_exact_ms,
        "recall_at_5": min(point.recall_at_5 for point in points),
    }


def against_logarithm(points: Sequence[tuple[int, float]]) -> float:
    """How many times more a value grew from the first (contexts, value) to the last than the logarithm of contexts."""
    (fewest, first), (most, last) = points[0], points[-1]
    return last / first / (math.log(most) / math.log(fewest))
