"""Evaluation of a policy on a task: the very task loop of the nodes, in this process and without DDS."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from ams_ros.benchmark.library import Library, check_seeds, make_library
from ams_ros.benchmark.report import Episode, EvaluationReport
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.rollout import Rollout
from ams_ros.benchmark.workplace import Workplace
from ams_ros.policy.pi0 import load_policy
from ams_ros.policy.protocol import Policy
from ams_ros.supervision.task_loop import parse_mode


class _Worker:
    """Policy and plant of one process, built once."""

    def __init__(self, request: EvaluationRequest) -> None:
        self._request = request
        self._policy: Policy = load_policy(request.policy)
        self._workplace = Workplace(request.robot, request.task)

    def library(self, folder: Path) -> Library:
        return make_library(self._request, self._policy, self._workplace, folder)

    def episode(self, library: tuple[Path, ...], seed: int) -> Episode:
        return Rollout(self._request, self._policy, library=library, workplace=self._workplace).run(seed)


_worker: _Worker | None = None


def evaluate(request: EvaluationRequest, progress: Callable[[Episode], None] | None = None) -> EvaluationReport:
    """Run every episode and score it with the simulator's truth; `progress` is called as each one ends.

    The report does not depend on the number of workers: an episode is a function of policy, library, task and seed.

    Raises ConfigurationError for seeds that libraries are made of, and when the policy makes none.
    """
    check_seeds(request.seeds)
    workers = min(request.workers, request.episodes)
    # Spawned, not forked: neither torch nor a GL context survives a fork.
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="ams_ros_library_") as folder,
        ProcessPoolExecutor(workers, context, initializer=_build, initargs=(request,)) as pool,
    ):
        library: tuple[Path, ...] = ()
        if parse_mode(request.mode).pooled and request.library:
            library = pool.submit(_library, Path(folder)).result().files
        futures = [pool.submit(_episode, library, seed) for seed in request.seeds]
        for future in as_completed(futures):
            if progress is not None:
                progress(future.result())
        episodes = tuple(future.result() for future in futures)
    return EvaluationReport(request.task, request.mode, request.objects, request.seed, request.cap, episodes)


def _build(request: EvaluationRequest) -> None:
    global _worker  # noqa: PLW0603 - a worker process serves one request and has nowhere else to keep its plant
    _worker = _Worker(request)


def _library(folder: Path) -> Library:
    assert _worker is not None
    return _worker.library(folder)


def _episode(library: tuple[Path, ...], seed: int) -> Episode:
    assert _worker is not None
    return _worker.episode(library, seed)
