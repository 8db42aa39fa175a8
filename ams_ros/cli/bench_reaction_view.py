"""The figures of `ams bench reaction` as tables: goals first, then every rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from ams_ros.benchmark.reaction.goals import GOALS
from ams_ros.cli.output import figure_table, print_table

_COLUMNS = {
    "samples": ("stops", ".0f"),
    "reaction_ms_p50": ("reaction p50", ".2f"),
    "reaction_ms_p99": ("p99", ".2f"),
    "reaction_ms_max": ("max", ".2f"),
    "bare_ms_p50": ("bare p50", ".2f"),
    "bare_ms_p99": ("p99", ".2f"),
    "ratio_p99": ("ratio p99", ".2f"),
    "answered_ms_p99": ("answered p99", ".2f"),
    "stopped_ms_p99": ("at rest p99, ms", ".0f"),
    "rule_us_p50": ("rules p50, us", ".0f"),
    "rule_us_p99": ("p99", ".0f"),
    "cpu_percent": ("CPU, %", ".1f"),
    "unchecked": ("unchecked", ".0f"),
}


def show(figures: Mapping[str, Any], judged: bool) -> None:
    """Print goals, with verdicts when they are to be judged, and one line for each rate."""
    table = figure_table("goal for", "measured", "goal", "")
    for prefix, goals in GOALS.items():
        for goal in goals if figures["loaded" if prefix else "quiet"] else ():
            *cells, verdict = goal.row(figures)
            table.add_row(*cells, Text(verdict, "green" if verdict == "met" else "bold red") if judged else "")
    print_table(table)
    for name, title in (("quiet", "quiet, ms"), ("loaded", "with inference, ms")):
        if figures[name]:
            print_table(_rates(title, figures[name]))


def _rates(title: str, rows: list[Mapping[str, Any]]) -> Table:
    table = figure_table(title, *(heading for heading, _ in _COLUMNS.values()))
    for row in rows:
        table.add_row(f"{row['rate']:g} Hz", *(format(row[key], style) for key, (_, style) in _COLUMNS.items()))
    return table
