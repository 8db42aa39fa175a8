"""All tasks of `ams bench faults`, dealt out to several processes one by one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from ams_ros.benchmark.faults.cases import CASES
from ams_ros.benchmark.faults.durations import DurationFigures
from ams_ros.benchmark.faults.figures import CleanFigures, FaultFigures
from ams_ros.benchmark.faults.report import FaultsReport
from ams_ros.benchmark.faults.request import FaultsRequest
from ams_ros.benchmark.faults.rollout import FaultRollout
from ams_ros.benchmark.faults.trial import CleanTrial, FaultTrial
from ams_ros.policy.pi0 import load_policy

_COMPARED = 5
"""Scenes in which durations with and without the guard are compared."""

_rollout: FaultRollout | None = None
"""Policy and robots of this worker process, built once."""


def bench_faults(
    request: FaultsRequest, progress: Callable[[FaultTrial | CleanTrial], None] | None = None
) -> FaultsReport:
    """Run every task; `progress` is called as each one ends.

    What is found does not depend on the number of workers: a task is a function of policy, fault and seed.
    """
    # Spawned, not forked: neither torch nor a GL context survives a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        request.workers, context, initializer=_build, initargs=(request.policy, request.cap)
    ) as pool:
        compared = range(request.seed, request.seed + min(_COMPARED, request.episodes))
        durations = pool.submit(_durations, compared)
        faulty = {name: [pool.submit(_fault, name, seed) for seed in request.seeds] for name in request.faults}
        clean = [pool.submit(_clean, seed) for seed in request.clean_seeds]
        trials: list[Future[FaultTrial | CleanTrial]] = [*clean, *(one for row in faulty.values() for one in row)]  # type: ignore[list-item]
        for future in as_completed(trials):
            trial = future.result()
            if progress is not None:
                progress(trial)
        return FaultsReport(
            request,
            tuple(FaultFigures(CASES[name], tuple(one.result() for one in row)) for name, row in faulty.items()),
            CleanFigures(tuple(one.result() for one in clean)) if clean else None,
            durations.result(),
        )


def _build(policy_name: str, cap: int) -> None:
    global _rollout  # noqa: PLW0603 - a worker process serves one request and has nowhere else to keep its plants
    _rollout = FaultRollout(load_policy(policy_name), cap)


def _fault(name: str, seed: int) -> FaultTrial:
    assert _rollout is not None
    return _rollout.fault(name, seed)


def _clean(seed: int) -> CleanTrial:
    assert _rollout is not None
    return _rollout.clean(seed)


def _durations(seeds: range) -> DurationFigures:
    assert _rollout is not None
    return _rollout.durations(seeds)
