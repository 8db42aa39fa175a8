"""Evaluation of a policy on a task: the very task loop of the nodes, in this process and without DDS."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from ams_ros.benchmark.report import Episode, EvaluationReport
from ams_ros.benchmark.rollout import Rollout
from ams_ros.errors import ConfigurationError
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import parse_mode

_rollout: Rollout | None = None
"""Policy and plant of this worker process, built once."""


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate.

    seed: of the first episode; episode k uses seed + k.
    cap: step budget of every episode.
    until_cap: go on after the policy has come to rest, up to the cap: the most favourable reading of `direct`.
    """

    task: str
    mode: str
    objects: int
    episodes: int
    seed: int
    policy: str = "cubes"
    cap: int = 1500
    until_cap: bool = False
    workers: int = 2

    def __post_init__(self) -> None:
        """Refuse what cannot be evaluated before any process is started."""
        task = find_task(self.task)
        parse_mode(self.mode)
        if not 1 <= self.objects <= task.maximum_objects:
            raise ConfigurationError("objects", self.objects, f"1..{task.maximum_objects} for task {self.task!r}")
        for key, value in (("episodes", self.episodes), ("cap", self.cap), ("workers", self.workers)):
            if value < 1:
                raise ConfigurationError(key, value, "an integer of at least 1")
        if self.seed < 0:
            raise ConfigurationError("seed", self.seed, "an integer of at least 0")


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
    rest = RestThresholds(slices=request.cap) if request.until_cap else RestThresholds()
    _rollout = Rollout(request.policy, request.task, request.objects, request.cap, parse_mode(request.mode), rest)


def _episode(seed: int) -> Episode:
    assert _rollout is not None
    return _rollout.run(seed)
