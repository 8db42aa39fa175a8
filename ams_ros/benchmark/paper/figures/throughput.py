"""Actions per second, with and without the pool (paper, Figure 11)."""

from __future__ import annotations

from statistics import median
from typing import Any

from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.figures import ablation
from ams_ros.benchmark.paper.finding import Chart, Figure, Finding, Point, Reports
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.benchmark.report import EvaluationReport
from ams_ros.benchmark.troubles import NONE


def cells(request: PaperRequest) -> tuple[Cell, ...]:
    """The clean ones of the ablation."""
    return tuple(cell for cell in ablation.cells(request) if cell.faults == NONE and cell.objects == 2)


def make(request: PaperRequest, reports: Reports) -> Finding | None:
    """A row for each mode."""
    wanted = cells(request)
    if not wanted:
        return None
    found = {cell: rates(reports[cell]) for cell in wanted}
    stages = list(dict.fromkeys(stage for each in found.values() for stage in each["slice_ms"]))
    rows = tuple(
        (
            cell.policy,
            cell.mode,
            f"{each['inference_aps']:.0f}",
            f"{each['task_aps']:.2f}",
            *(f"{each['slice_ms'].get(stage, 0.0):.2f}" for stage in stages),
        )
        for cell, each in found.items()
    )
    words = tuple(dict.fromkeys(cell.policy for cell in wanted))
    modes = tuple(dict.fromkeys(cell.mode for cell in wanted))
    series = {
        word: tuple(
            Point(float(modes.index(cell.mode)), each["inference_aps"], each["inference_aps"], each["inference_aps"])
            for cell, each in found.items()
            if cell.policy == word
        )
        for word in words
    }
    return Finding(
        name="throughput",
        title="Actions per second",
        text=(
            "*Inference*: steps to be executed over the time of the stages that inferred them, the median of the "
            "episodes, look-ups in the pool included. *Task*: executed steps over motion and inference together, one "
            "after the other; a step of the robot takes 0.05 s, so that 20 is the most. Stages in ms a slice.",
        ),
        columns=("policy", "mode", "inference", "task", *stages),
        rows=rows,
        figures={"cells": [{"policy": cell.policy, "mode": cell.mode, **each} for cell, each in found.items()]},
        charts=(Chart("Actions per second of inference", "", "1/s", series, modes),),
    )


STEPS_PER_SLICE = 8
"""Executed of each slice by all shipped policies."""


def rates(report: EvaluationReport) -> dict[str, Any]:
    """Medians over the episodes."""
    episodes = [episode for episode in report.per_episode if episode.inferences]
    stages: dict[str, list[float]] = {}
    for episode in episodes:
        for stage, seconds in episode.times.stages.items():
            stages.setdefault(stage, []).append(1e3 * seconds / episode.inferences)
    return {
        "inference_aps": median(STEPS_PER_SLICE * each.inferences / each.times.inference for each in episodes),
        "task_aps": median(each.steps / each.times.task for each in episodes),
        "slice_ms": {stage: median(values) for stage, values in stages.items()},
    }


FIGURE = Figure("throughput", "Figure 11", cells, make)
