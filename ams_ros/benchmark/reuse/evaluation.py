"""All cells of `ams bench reuse` on all scenes, one cell after the other in each of several processes."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from ams_ros.benchmark.local_reuse import LocalReuse
from ams_ros.benchmark.reuse.cells import EPISODE, EXACT, Cell, cells
from ams_ros.benchmark.reuse.figures import CellFigures
from ams_ros.benchmark.reuse.report import Filling
from ams_ros.benchmark.reuse.request import ReuseRequest
from ams_ros.benchmark.reuse.rollout import ReuseRollout, episode_name
from ams_ros.benchmark.reuse.scenes import ONE_CUBE, SCENES, SceneSet
from ams_ros.context.records import ContextOutcome
from ams_ros.policy.pi0 import Pi0Policy, load_policy

_POOL_BYTES = 2**28
"""Enough for the successes and a cell's own contexts; a larger pool only takes longer to open."""


@dataclass(frozen=True, slots=True)
class _Worker:
    """What a worker process keeps: policy, robot, step budget."""

    policy: Pi0Policy
    rollout: ReuseRollout
    cap: int


_worker: _Worker | None = None
"""Of this process, built once."""


def evaluate_reuse(
    request: ReuseRequest, progress: Callable[[CellFigures], None] | None = None
) -> tuple[Filling, tuple[CellFigures, ...]]:
    """Fill a pool, then run every cell on every set of scenes; `progress` is called as each one ends.

    A cell has a pool of its own with the same successes in it, and runs in one process from first to last scene: what
    it finds depends neither on other cells nor on the number of workers, times aside.
    """
    # Spawned, not forked: neither torch nor a GL context survives a fork.
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="ams_ros_bench_") as folder,
        ProcessPoolExecutor(
            request.workers, context, initializer=_build, initargs=(request.policy, request.cap)
        ) as pool,
    ):
        successes = Path(folder) / "successes"
        filling, names, steps = pool.submit(_fill, request.filling_seeds, successes).result()
        scenes = (ONE_CUBE,) if request.quick else SCENES
        futures = [
            pool.submit(_cell, cell, one, request.seeds, successes, names)
            for one in scenes
            for cell in cells(steps, request.quick)
            # Without any success there is no episode to start from.
            if names or cell.warm is None or cell.warm.reference != EPISODE
        ]
        for future in as_completed(futures):
            if progress is not None:
                progress(future.result())
        return filling, tuple(future.result() for future in futures)


def _build(policy_name: str, cap: int) -> None:
    global _worker  # noqa: PLW0603 - a worker process serves one request and has nowhere else to keep its plant
    policy = load_policy(policy_name)
    _worker = _Worker(policy, ReuseRollout(policy, cap), cap)


def _fill(seeds: range, file: Path) -> tuple[Filling, tuple[str, ...], int]:
    """Run scenes of one cube, mark how each went, export the successes; returns their names, and the policy's steps."""
    assert _worker is not None
    succeeded = []
    with LocalReuse(_worker.policy) as reuse:
        for seed in seeds:
            done = _worker.rollout.run(EXACT, ONE_CUBE, seed, reuse)
            reuse.pool.set_outcome(
                episode_name(seed), ContextOutcome.SUCCEEDED if done.episode.success else ContextOutcome.FAILED
            )
            if done.episode.success:
                succeeded.append(episode_name(seed))
        exported = reuse.pool.export(file, "")
    filling = Filling((seeds.start, seeds[-1]), len(seeds), len(succeeded), exported.contexts, file.stat().st_size)
    return filling, tuple(succeeded), _worker.policy.description.denoising_steps


def _cell(cell: Cell, scenes: SceneSet, seeds: range, successes: Path, names: tuple[str, ...]) -> CellFigures:
    assert _worker is not None
    with LocalReuse(_worker.policy, cell.threshold, host_bytes=_POOL_BYTES) as reuse:
        if cell.pool:
            reuse.pool.import_file(successes)
        episodes = tuple(_worker.rollout.run(cell, scenes, seed, reuse, names) for seed in seeds)
    return CellFigures(cell, scenes, len(_worker.policy.description.cameras), _worker.cap, episodes)
