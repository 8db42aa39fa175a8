"""The figures of `ams bench pool` as tables: first what has a goal, then the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from ams_ros.benchmark.pool.goals import GOALS
from ams_ros.cli.output import console, figure_table, print_table


def show(figures: Mapping[str, Any], judged: bool) -> None:
    """Print goals, with verdicts when they are to be judged, growth, eviction, and single figures."""
    _goals(figures, judged)
    _growth(figures["growth"])
    _eviction(figures["eviction"])
    out = console()
    out.print(
        f"Five most similar of {figures['growth'][-1]['contexts']} compared with all: "
        f"{figures['lookup_similar_exact_ms']:.2f} ms; the graph finds at least {figures['recall_at_5']:.1%} of them."
    )
    out.print(
        f"Put {figures['put_ms']:.2f} ms, get {figures['get_ms']:.2f} ms in one process; "
        f"{figures['service_put_ms']:.2f} ms and {figures['service_get_ms']:.2f} ms through the node; "
        f"{figures['disk_put_ms']:.1f} ms and {figures['disk_get_ms']:.1f} ms on disk (15 MB)."
    )
    speeds = ", ".join(f"{name} {speed:.1f} GB/s" for name, speed in figures["hash_gb_s_by_name"].items())
    out.print(f"Hashes on one core: {speeds}; copying {figures['memcpy_gb_s']:.1f} GB/s.")
    out.print(
        f"{figures['dedup_repeats']} episodes of one cube are stored {figures['dedup_ratio']:.1f} times smaller when "
        f"they are the same, {figures['dedup_ratio_different_seeds']:.2f} times when they differ."
    )


def _goals(figures: Mapping[str, Any], judged: bool) -> None:
    table = figure_table(f"{figures['contexts']} contexts", "measured", "goal", "")
    for goal in GOALS:
        *cells, verdict = goal.row(figures)
        table.add_row(*cells, Text(verdict, "green" if verdict == "met" else "bold red") if judged else "")
    print_table(table)


def _growth(points: list[dict[str, float]]) -> None:
    table = figure_table(
        "contexts", "exact p50, us", "p99", "similar p50, ms", "p99", "compared with all", "recall at 5"
    )
    for point in points:
        table.add_row(
            f"{point['contexts']:.0f}",
            *(f"{point[name]:.2f}" for name in ("exact_us_p50", "exact_us_p99", "similar_ms_p50", "similar_ms_p99")),
            f"{point['similar_exact_ms']:.2f}",
            f"{point['recall_at_5']:.3f}",
        )
    print_table(table)


def _eviction(kept: list[dict[str, Any]]) -> None:
    table = figure_table("eviction policy", "room for", "hit rate", "computing saved")
    for each in kept:
        shares = (f"{each[name]:.1%}" for name in ("hit_rate", "seconds_saved_share"))
        table.add_row(each["policy"], f"{each['room']:.0%} of all bytes", *shares)
    print_table(table)
