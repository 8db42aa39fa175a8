"""Success over the number of objects (paper, Figures 14, 15 and 17): direct, the straw man, and AMS."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.benchmark.local_reuse import ROBOT
from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.finding import Chart, Figure, Finding, Reports, share, success_point, summary
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.types import Mode

MODES = (Mode.DIRECT.value, Mode.RESET.value, Mode.AMS.value)
QUICK_MODES = (Mode.DIRECT.value, Mode.AMS.value)


@dataclass(frozen=True, slots=True)
class Table:
    """One task on one arm. word: the policy's. counts: of objects, all and with --quick."""

    word: str
    task: str
    robot: str
    paper: str
    title: str
    counts: tuple[int, ...]
    quick_counts: tuple[int, ...] = ()

    def cells(self, request: PaperRequest) -> tuple[Cell, ...]:
        """Those of all modes and counts; none without a policy."""
        if self.word not in request.policies:
            return ()
        counts, modes = (self.quick_counts, QUICK_MODES) if request.quick else (self.counts, MODES)
        return tuple(Cell(self.task, mode, n, self.word, self.robot) for mode in modes for n in counts)

    def make(self, request: PaperRequest, reports: Reports) -> Finding | None:
        """Rows by the number of objects."""
        cells = self.cells(request)
        if not cells:
            return None
        modes = tuple(dict.fromkeys(cell.mode for cell in cells))
        counts = sorted({cell.objects for cell in cells})
        of = {(cell.mode, cell.objects): reports[cell] for cell in cells}
        rows = tuple((str(n), *(share(of[mode, n]) for mode in modes)) for n in counts)
        series = {mode: tuple(success_point(n, of[mode, n]) for n in counts) for mode in modes}
        return Finding(
            name=f"success_{self.word}",
            title=self.title,
            text=(
                f"Every object in place at the end of the task, {cells[0].cap} steps at most; in brackets the 95 % "
                "interval (Wilson) in percent. *direct* goes on after it has come to rest, up to that many steps.",
            ),
            columns=("objects", *modes),
            rows=rows,
            figures={"cells": [summary(reports[cell]) for cell in cells]},
            charts=(Chart(self.title, "objects", "success, %", series),),
        )

    def figure(self) -> Figure:
        """As one that can be asked for."""
        return Figure(f"success_{self.word}", self.paper, self.cells, self.make)


CUBES = Table("cubes", "cubes", ROBOT, "Figure 14", "Success on cubes", (1, 2, 3, 4, 5, 6, 7), (1, 2, 3))
CUPS = Table("cups", "cups", ROBOT, "Figures 14 and 17", "Success on cups", (1, 2, 3, 4, 5, 6, 7))
MIXED = Table("mixed", "mixed", ROBOT, "Figure 14", "Success on cubes and cups together", (1, 2, 3, 4, 6))
JAKA = Table("jaka", "cubes", "jaka_s5", "Figure 15", "Success on cubes, JAKA S5", (1, 2, 3, 4))
TABLES = (CUBES, CUPS, MIXED, JAKA)
