"""The three parts of `ams bench reuse`, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from ams_ros.benchmark.reuse.evaluation import evaluate_reuse
from ams_ros.benchmark.reuse.figures import CellFigures
from ams_ros.benchmark.reuse.overhead import measure_overhead
from ams_ros.benchmark.reuse.report import ReuseBenchReport
from ams_ros.benchmark.reuse.request import ReuseRequest
from ams_ros.benchmark.reuse.stages import measure_stages
from ams_ros.policy.full_size import full_size_policy
from ams_ros.policy.pi0 import load_policy

_OVERHEAD_SLICES, _QUICK_OVERHEAD_SLICES = 400, 30
_REPEATS, _QUICK_REPEATS = 30, 3
_FULL_SIZE_REPEATS = 3


def bench_reuse(
    request: ReuseRequest, full_size_threads: int = 0, progress: Callable[[CellFigures], None] | None = None
) -> ReuseBenchReport:
    """Measure; with `full_size_threads` above 0 also a pi0 of the published size on so many CPU threads.

    Times come first, while no other process of the benchmark runs.

    Raises ConfigurationError when memory does not suffice for the published size, CheckpointError when the policy
    cannot be loaded.
    """
    stages = {}
    if full_size_threads:
        stages["published size, random weights"] = measure_stages(
            full_size_policy(full_size_threads), _FULL_SIZE_REPEATS, request.seed
        )
    policy = load_policy(request.policy)
    overhead = measure_overhead(policy, _QUICK_OVERHEAD_SLICES if request.quick else _OVERHEAD_SLICES, request.seed)
    stages[request.policy] = measure_stages(policy, _QUICK_REPEATS if request.quick else _REPEATS, request.seed)
    filling, cells = evaluate_reuse(request, progress)
    return ReuseBenchReport(request, filling, cells, overhead, stages)
