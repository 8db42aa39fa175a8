"""Runs cells in several processes, each of which keeps its policies and plants."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from ams_ros.benchmark.library import make_library
from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.cell_store import CellStore
from ams_ros.benchmark.paper.finding import Reports
from ams_ros.benchmark.report import Episode, EvaluationReport
from ams_ros.benchmark.rollout import Rollout
from ams_ros.benchmark.workplace import Workplace, surroundings_of
from ams_ros.policy.checkpoint import find_checkpoint
from ams_ros.policy.checkpoint_card import read_card
from ams_ros.policy.pi0 import load_policy
from ams_ros.policy.protocol import Policy
from ams_ros.supervision.task_loop import parse_mode

Progress = Callable[[Cell, Episode], None]


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoint of every policy, by the word it goes by. hashes: of their weights."""

    paths: Mapping[str, str]
    hashes: Mapping[str, str]


def read_checkpoints(policies: Mapping[str, str]) -> Checkpoints:
    """Look at every checkpoint; raises CheckpointError for one that is not there."""
    hashes = {word: read_card(find_checkpoint(path)).weights_sha256 for word, path in policies.items()}
    return Checkpoints(dict(policies), hashes)


class CellRunner:
    """Runs what is missing of some cells."""

    def __init__(self, folder: Path, checkpoints: Checkpoints, store: CellStore, workers: int) -> None:
        """folder: where libraries are kept, in `libraries`."""
        self._folder, self._checkpoints, self._store, self._workers = folder, checkpoints, store, workers

    def run(self, cells: Sequence[Cell], episodes: int, progress: Progress) -> Reports:
        """Run every episode that is not there yet, a cell after the other; `progress` is called as each one ends.

        What is done is kept at once, so that a run that was broken off goes on where it was.
        """
        kept = {cell: self._store.read(cell, self._hash(cell)) for cell in cells}
        wanted = {cell: range(cell.seed, cell.seed + episodes) for cell in cells}
        missing = [(cell, seed) for cell in cells for seed in wanted[cell] if seed not in kept[cell]]
        if missing:
            # Spawned, not forked: neither torch nor a GL context survives a fork.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(self._workers, context) as pool:
                self._run(pool, missing, kept, progress)
        return {
            cell: EvaluationReport(
                cell.task, cell.mode, cell.objects, cell.seed, cell.cap, tuple(kept[cell][seed] for seed in seeds)
            )
            for cell, seeds in wanted.items()
        }

    def _run(
        self,
        pool: ProcessPoolExecutor,
        missing: Sequence[tuple[Cell, int]],
        kept: dict[Cell, dict[int, Episode]],
        progress: Progress,
    ) -> None:
        libraries = self._libraries(pool, dict.fromkeys(cell for cell, _ in missing))
        futures: dict[Future[Episode], Cell] = {}
        for cell, seed in missing:
            path = self._checkpoints.paths[cell.policy]
            futures[pool.submit(_episode, cell, path, libraries.get(cell, ()), seed)] = cell
        try:
            for future in as_completed(futures):
                cell, episode = futures[future], future.result()
                kept[cell][episode.seed] = episode
                self._store.write(cell, self._hash(cell), kept[cell])
                progress(cell, episode)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def _libraries(self, pool: ProcessPoolExecutor, cells: Mapping[Cell, None]) -> dict[Cell, tuple[Path, ...]]:
        """The files of the library of each cell that wants one; those that are not there yet are made."""
        folders = {cell: self._library_folder(cell) for cell in cells if parse_mode(cell.mode).pooled and cell.library}
        made: dict[Path, Future[tuple[Path, ...]]] = {}
        for cell, folder in folders.items():
            if folder not in made:
                made[folder] = pool.submit(_library, cell, self._checkpoints.paths[cell.policy], folder)
        return {cell: made[folder].result() for cell, folder in folders.items()}

    def _library_folder(self, cell: Cell) -> Path:
        name = f"{cell.task}-{cell.robot}-{self._hash(cell)[:12]}-{cell.library}"
        return self._folder / "libraries" / name

    def _hash(self, cell: Cell) -> str:
        return self._checkpoints.hashes[cell.policy]


class _Worker:
    """What a process keeps: policies by path, workplaces by robot and surroundings."""

    def __init__(self) -> None:
        self._policies: dict[str, Policy] = {}
        self._workplaces: dict[tuple[str, str], Workplace] = {}

    def policy(self, path: str) -> Policy:
        if path not in self._policies:
            self._policies[path] = load_policy(path)
        return self._policies[path]

    def workplace(self, robot: str, task: str) -> Workplace:
        surroundings = surroundings_of(robot, task)
        if (robot, surroundings) not in self._workplaces:
            self._workplaces[robot, surroundings] = Workplace(robot, task)
        return self._workplaces[robot, surroundings]


_worker = _Worker()


def _episode(cell: Cell, path: str, library: tuple[Path, ...], seed: int) -> Episode:
    place = _worker.workplace(cell.robot, cell.task)
    return Rollout(cell.request(path, 1), _worker.policy(path), library=library, workplace=place).run(seed)


def _library(cell: Cell, path: str, folder: Path) -> tuple[Path, ...]:
    """Made once; what says that it was is written last."""
    told = folder / "library.json"
    if told.exists():
        return tuple(folder / name for name in json.loads(told.read_text(encoding="utf-8"))["files"])
    began = time.perf_counter()
    library = make_library(
        cell.request(path, 1), _worker.policy(path), _worker.workplace(cell.robot, cell.task), folder
    )
    content = {
        "files": [file.name for file in library.files],
        "scenes": library.scenes,
        "false": library.false,
        "seconds": time.perf_counter() - began,
    }
    told.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return library.files
