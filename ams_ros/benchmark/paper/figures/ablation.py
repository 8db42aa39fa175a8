"""What each primitive adds, in clean scenes and in troubled ones (paper, Figure 18)."""

from __future__ import annotations

from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.finding import Chart, Figure, Finding, Reports, share, success_point, summary
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.benchmark.troubles import ALL, OFFSETS, PUSHES, SLICK
from ams_ros.types import Mode

MODES = tuple(mode.value for mode in Mode)
_BLIND = "ams without exceptions"
_TROUBLED = {"cubes": (SLICK, PUSHES, OFFSETS, ALL), "cups": (PUSHES, OFFSETS)}
"""Scenarios by policy; of cups nothing is held."""

_TROUBLED_MODES = (Mode.DIRECT.value, Mode.CONTEXT.value, Mode.EXCEPTION.value, Mode.AMS.value)
_OBJECTS = (2, 3)
"""Clean; troubled with the first of them alone."""


def cells(request: PaperRequest) -> tuple[Cell, ...]:
    """Clean: all modes. Troubled: those with and without exceptions."""
    found = []
    for word, scenarios in _TROUBLED.items():
        if word not in request.policies or (request.quick and word != "cubes"):
            continue
        for objects in _OBJECTS[:1] if request.quick else _OBJECTS:
            found += [Cell(word, mode, objects, word) for mode in MODES]
        if not request.quick:
            found += [each for faults in scenarios for each in _troubled(word, faults)]
    return tuple(found)


def _troubled(word: str, faults: str) -> tuple[Cell, ...]:
    objects = _OBJECTS[0]
    plain = tuple(Cell(word, mode, objects, word, faults=faults) for mode in _TROUBLED_MODES)
    return (*plain, Cell(word, Mode.AMS.value, objects, word, faults=faults).with_variation(blind=True))


def make(request: PaperRequest, reports: Reports) -> Finding | None:
    """A row for each policy, number of objects and scenario; a column for each mode."""
    wanted = cells(request)
    if not wanted:
        return None
    columns = (*MODES, _BLIND)
    of = {(cell.policy, cell.objects, cell.faults, way_of(cell)): cell for cell in wanted}
    keys = tuple(dict.fromkeys(key[:3] for key in of))
    rows = []
    for key in keys:
        shares = [share(reports[of[(*key, way)]]) if (*key, way) in of else "" for way in columns]
        steps = [f"{reports[of[(*key, way)]].steps_mean_capped:.0f}" if (*key, way) in of else "" for way in columns]
        name = (f"{key[0]}, {key[1]}", key[2])
        rows += [(*name, "success", *shares), (*name, "steps", *steps)]
    return Finding(
        name="ablation",
        title="Ablation",
        text=(
            "Success with its 95 % interval, and mean steps with a failure counted as 1500. Modes `context` and "
            "`exception` begin their first two slices from a success, as `ams` begins every attempt. Troubles come "
            "every 4 to 10 s until the end: *slick* cubes for 3 s, *pushes* of 25 N for 0.8 s, *offsets* of the "
            f"waist's targets by 0.08 rad for 2.5 s. *{_BLIND}*: the monitor watches and stops nothing.",
        ),
        columns=("policy, objects", "troubles", "", *columns),
        rows=tuple(rows),
        figures={"cells": [{"way": way_of(cell), "faults": cell.faults, **summary(reports[cell])} for cell in wanted]},
        charts=_charts(wanted, keys, of, reports),
    )


def way_of(cell: Cell) -> str:
    """The column a cell belongs to."""
    return _BLIND if cell.variation.blind else cell.mode


def _charts(
    wanted: tuple[Cell, ...],
    keys: tuple[tuple[str, int, str], ...],
    of: dict[tuple[str, int, str, str], Cell],
    reports: Reports,
) -> tuple[Chart, ...]:
    charts = []
    for word, objects in dict.fromkeys((cell.policy, cell.objects) for cell in wanted):
        scenarios = tuple(key[2] for key in keys if key[:2] == (word, objects))
        ways = [way for way in (*MODES, _BLIND) if any((word, objects, each, way) in of for each in scenarios)]
        series = {
            way: tuple(
                success_point(x, reports[of[word, objects, faults, way]])
                for x, faults in enumerate(scenarios)
                if (word, objects, faults, way) in of
            )
            for way in ways
        }
        charts.append(Chart(f"{word}, {objects} objects", "troubles", "success, %", series, scenarios))
    return tuple(charts)


FIGURE = Figure("ablation", "Figure 18", cells, make)
