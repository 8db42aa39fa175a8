"""Steps and time of the first and of later executions (paper, Figures 10, 12 and 13)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.figures.success import TABLES
from ams_ros.benchmark.paper.finding import Chart, Figure, Finding, Point, Reports, summary
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.benchmark.report import EvaluationReport
from ams_ros.types import Mode

_NORMAL_95 = 1.96


def cells(request: PaperRequest) -> tuple[Cell, ...]:
    """Those of success with two objects and more."""
    return tuple(cell for table in TABLES for cell in table.cells(request) if cell.objects >= 2)


def make(request: PaperRequest, reports: Reports) -> Finding | None:
    """A row for each task, arm, mode and number of objects."""
    wanted = cells(request)
    if not wanted:
        return None
    rows, figures = [], []
    for cell in wanted:
        report = reports[cell]
        parts = executions(report)
        rows.append(
            (
                cell.policy,
                cell.mode,
                str(cell.objects),
                _number(report.steps_median_successful),
                f"{report.steps_mean_capped:.0f}",
                f"{report.steps_mean(report.short_cap):.0f}",
                *(_number(parts[key]["mean"]) for key in ("first_steps", "second_steps", "later_steps")),
                *(_number(parts[key]["mean"], 1) for key in ("first_seconds", "second_seconds", "later_seconds")),
            )
        )
        figures.append({"policy": cell.policy, "robot": cell.robot, **summary(report), **parts})
    return Finding(
        name="executions",
        title="Steps and time of the first and of later executions",
        text=(
            "Steps until every object was in place: median of the successes, then means over all episodes, a failure "
            "counted as 1500 steps, and with everything above 160 for each object and 40 more counted as that. "
            "The execution of a job lasts from where the one before was seen done, the way home among it, to where "
            "it was seen done itself, by the robot's own evidence. Seconds are of motion and, one after the other, "
            "of inference on this machine. *Later*: the second and all after it.",
        ),
        columns=(
            *("policy", "mode", "objects", "steps, successes", "steps, 1500", "steps, short cap"),
            *("first", "second", "later", "first, s", "second, s", "later, s"),
        ),
        rows=tuple(rows),
        figures={"cells": figures},
        charts=_charts(request, wanted, reports),
    )


def executions(report: EvaluationReport) -> dict[str, dict[str, Any]]:
    """Mean, interval and number of the first, the second and all later executions, in steps and in seconds."""
    parts: dict[str, list[float]] = {
        f"{place}_{unit}": [] for unit in ("steps", "seconds") for place in ("first", "second", "later")
    }
    for episode in report.per_episode:
        for unit, seen in (("steps", episode.job_steps), ("seconds", episode.times.jobs)):
            # What was seen done beyond the number of objects was seen wrongly.
            ends = seen[: report.objects]
            lengths = [end - begin for begin, end in zip((0, *ends), ends, strict=False)]
            parts[f"first_{unit}"] += lengths[:1]
            parts[f"second_{unit}"] += lengths[1:2]
            parts[f"later_{unit}"] += lengths[1:]
    return {key: _mean(values) for key, values in parts.items()}


def _mean(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {"mean": None, "low": None, "high": None, "count": 0}
    mean = fmean(values)
    half = _NORMAL_95 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return {"mean": mean, "low": mean - half, "high": mean + half, "count": len(values)}


def _charts(request: PaperRequest, wanted: Sequence[Cell], reports: Reports) -> tuple[Chart, ...]:
    """First and second execution with AMS, by policy, of two objects."""
    chosen = [cell for cell in wanted if cell.mode == Mode.AMS.value and cell.objects == 2]
    charts = []
    for unit, up in (("steps", "steps"), ("seconds", "seconds")):
        series = {}
        for place in ("first", "second"):
            found = [executions(reports[cell])[f"{place}_{unit}"] for cell in chosen]
            series[f"{place} execution"] = tuple(
                Point(float(x), each["mean"], each["low"], each["high"])
                for x, each in enumerate(found)
                if each["mean"] is not None
            )
        charts.append(Chart(f"Two objects, AMS: {unit}", "", up, series, tuple(cell.policy for cell in chosen)))
    return tuple(charts) if chosen else ()


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


FIGURE = Figure("executions", "Figures 10, 12 and 13", cells, make)
