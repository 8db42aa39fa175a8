"""How right the robot was about its own jobs, against the simulator's truth."""

from __future__ import annotations

from collections import defaultdict

from ams_ros.benchmark.evidence import EvidenceTally, tally
from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.figures import ablation
from ams_ros.benchmark.paper.figures.success import TABLES
from ams_ros.benchmark.paper.finding import Figure, Finding, Reports, counted
from ams_ros.benchmark.paper.request import PaperRequest

_EARLY, _LATE = 40.0, 40.0
"""Steps, 2 s: what is let go of takes time to come to rest; both are looked at where a slice ends only."""


def cells(request: PaperRequest) -> tuple[Cell, ...]:
    """Those of success and of the ablation."""
    return tuple(
        dict.fromkeys([*(cell for table in TABLES for cell in table.cells(request)), *ablation.cells(request)])
    )


def make(request: PaperRequest, reports: Reports) -> Finding | None:
    """A row for each policy, mode and scenario, all numbers of objects together."""
    wanted = cells(request)
    if not wanted:
        return None
    sums: dict[tuple[str, str, str], EvidenceTally] = defaultdict(EvidenceTally)
    for cell in wanted:
        for episode in reports[cell].per_episode:
            one = tally(episode.job_steps, episode.placed_steps, _EARLY, _LATE)
            sums[cell.policy, ablation.way_of(cell), cell.faults] += one
    rows = tuple(
        (
            *key,
            str(each.right),
            counted(each.false, each.right + each.false),
            counted(each.missed, each.right + each.missed),
        )
        for key, each in sums.items()
    )
    figures = [
        {"policy": key[0], "way": key[1], "faults": key[2], "right": e.right, "false": e.false, "missed": e.missed}
        for key, e in sums.items()
    ]
    return Finding(
        name="evidence",
        title="Jobs seen done, against the truth",
        text=(
            "*Right*: jobs the robot saw done by its own gripper, joints and wrist and the simulator within 2 s. "
            "*False*: of the jobs seen done, those that were not. *Missed*: of the jobs truly done, those not seen.",
        ),
        columns=("policy", "mode", "troubles", "right", "false", "missed"),
        rows=rows,
        figures={"rows": figures},
    )


FIGURE = Figure("evidence", "not in the paper", cells, make)
