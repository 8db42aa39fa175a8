"""The figures of `ams bench deaths` as tables: goals first, then every case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from ams_ros.benchmark.deaths.figures import GOALS
from ams_ros.cli.output import figure_table, print_table

_TIMES = ("canceled_ms_p50", "canceled_ms_p99", "canceled_ms_max", "rest_ms_p50", "rest_ms_p99", "rest_ms_max")
_HEADINGS = ("killed", "kills", "canceled p50", "p99", "max, ms", "at rest p50", "p99", "max, ms", "<= 250 ms", "task")


def show(figures: Mapping[str, Any], judged: bool) -> None:
    """Print goals, with verdicts when they are to be judged, and one line for each case."""
    if "rest_ms_max" in figures:
        table = figure_table("goal for", "measured", "goal", "")
        for goal in GOALS:
            *cells, verdict = goal.row(figures)
            table.add_row(*cells, Text(verdict, "green" if verdict == "met" else "bold red") if judged else "")
        print_table(table)
    table = figure_table(*_HEADINGS)
    for case, row in figures["cases"].items():
        times = ("-" if row[key] is None else format(row[key], ".0f") for key in _TIMES)
        outcomes = ", ".join(f"{word} ({count})" for word, count in row["outcomes"].items())
        within = "-" if row["within_250_ms"] is None else f"{row['within_250_ms']:.0%}"
        table.add_row(case, str(row["kills"]), *times, within, outcomes)
    print_table(table)
