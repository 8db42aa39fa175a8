"""What a figure comes to: numbers, a table for people, charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ams_ros.benchmark.confidence import wilson_interval
from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.benchmark.report import EvaluationReport

Reports = Mapping[Cell, EvaluationReport]
"""What was found in each cell."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a chart, with its interval."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture. series: points by label. bars: drawn as bars, whose places are named; else as lines."""

    title: str
    across: str
    up: str
    series: Mapping[str, tuple[Point, ...]]
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure or table. title: with the paper's number. text: what it says and how it was measured.

    columns, rows: of the table. figures: for the JSON file. pictures: files drawn already, in the benchmark's folder.
    """

    name: str
    title: str
    text: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: Mapping[str, Any]
    charts: tuple[Chart, ...] = ()
    pictures: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Figure:
    """One that can be asked for.

    paper: what it stands for in the paper. cells: what must have been run. make: the finding, from the reports; None
    when there is nothing to tell.
    """

    name: str
    paper: str
    cells: Callable[[PaperRequest], tuple[Cell, ...]]
    make: Callable[[PaperRequest, Reports], Finding | None]


def share(report: EvaluationReport) -> str:
    """Successes of a cell, for people: count and interval."""
    episodes = len(report.per_episode)
    return counted(report.successes, episodes)


def counted(count: int, of: int) -> str:
    """A count out of some, with its interval; a dash when there are none."""
    if not of:
        return "-"
    low, high = wilson_interval(count, of)
    return f"{count}/{of} ({low * 100:.0f}-{high * 100:.0f})"


def success_point(x: float, report: EvaluationReport) -> Point:
    """The success rate of a cell with its interval, in percent."""
    episodes = len(report.per_episode)
    low, high = wilson_interval(report.successes, episodes)
    return Point(x, 100.0 * report.successes / episodes, 100.0 * low, 100.0 * high)


def summary(report: EvaluationReport) -> dict[str, Any]:
    """A cell's figures without its episodes."""
    content = report.as_dictionary()
    del content["per_episode"]
    return content
