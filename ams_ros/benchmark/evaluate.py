"""Evaluation of a policy on a task: the very task loop of the nodes, in this process and without DDS."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed

from ams_ros.benchmark.report import Episode, EvaluationReport
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.rollout import Rollout

_rollout: Rollout | None = None
"""Policy and plant of this worker process, built once."""


def evaluate(request: EvaluationRequest, progress: Callable[[Episode], None] | None = None) -> EvaluationReport:
    """Run every episode and score it with the simulator's truth; `progress` is called as each one ends.

    The report does not depend on the number of workers: an episode is a function of policy, task and seed.
    """
    seeds = range(request.seed, request.seed + request.episodes)
    workers = min(request.workers, request.episodes)
    # Spawned, not forked: neither torch nor a GL context survives a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_build, initargs=(request,)) as pool:
        futures = [pool.submit(_episode, seed) for seed in seeds]
        for future in as_completed(futures):
            if progress is not None:
                progress(future.result())
        episodes = tuple(future.result() for future in futures)
    return EvaluationReport(request.task, request.mode, request.objects, request.seed, request.cap, episodes)


def _build(request: EvaluationRequest) -> None:
    global _rollout  # noqa: PLW0603 - a worker process serves one request and has nowhere else to keep its plant
    _rollout = Rollout(request)


def _episode(seed: int) -> Episode:
    assert _rollout is not None
    return _rollout.run(seed)
