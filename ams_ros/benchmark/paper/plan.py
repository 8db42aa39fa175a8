"""How long a set of cells will take, told before it is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.report import Episode
from ams_ros.supervision.task_loop import parse_mode

SECONDS_PER_STEP = 0.007
"""Of one worker on one core that does nothing else, where nothing was measured in that folder yet."""

_OVERHEAD, _SEARCH = 160, 450
"""Steps of one object, and of finding out that nothing is left to do."""


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """missing: episodes still to run. seconds: of one, on one worker. measured: whether that is known from others."""

    cell: Cell
    missing: int
    seconds: float
    measured: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """All cells of a run."""

    cells: tuple[PlannedCell, ...]
    workers: int

    @property
    def episodes(self) -> int:
        """Still to run."""
        return sum(each.missing for each in self.cells)

    @property
    def seconds(self) -> float:
        """Of wall time, all workers busy."""
        return sum(each.missing * each.seconds for each in self.cells) / self.workers


def make_plan(cells: Sequence[Cell], episodes: int, workers: int, read: Callable[[Cell], dict[int, Episode]]) -> Plan:
    """What of the cells is missing, and how long it takes by the episodes there are. read: those of a cell."""
    kept = {cell: read(cell) for cell in cells}
    planned = []
    for cell in cells:
        there = kept[cell]
        missing = sum(seed not in there for seed in range(cell.seed, cell.seed + episodes))
        alike = [
            episode.times.wall
            for other, found in kept.items()
            if (other.mode, other.objects, other.task) == (cell.mode, cell.objects, cell.task)
            for episode in found.values()
        ]
        seconds = fmean(alike) if alike else _guess(cell) * SECONDS_PER_STEP
        planned.append(PlannedCell(cell, missing, seconds, bool(alike)))
    return Plan(tuple(planned), workers)


def _guess(cell: Cell) -> int:
    """Steps of an episode."""
    if parse_mode(cell.mode).replayed:
        return min(cell.cap, _OVERHEAD * cell.objects + _SEARCH)
    return 2 * _OVERHEAD if cell.objects == 1 else cell.cap
