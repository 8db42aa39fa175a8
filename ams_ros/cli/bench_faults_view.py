"""The tables of `ams bench faults`."""

from __future__ import annotations

from typing import Any

from ams_ros.benchmark.faults.report import FaultsReport
from ams_ros.cli.output import console, figure_table, print_table


def show(report: FaultsReport) -> None:
    """Print every part."""
    found = report.as_dictionary()
    if found["faults"]:
        _show_faults(found["faults"])
    if found["clean"] is not None:
        _show_clean(found["clean"])
    _show_durations(found["sub_slice_checks"])


def _show_faults(rows: list[dict[str, Any]]) -> None:
    console().print(
        "Faults in running tasks of one cube. see, stop: s from the fault's effect until the stop was requested and "
        "until the arm truly stood still; proven: by the guard and by the simulator, at rest: by the simulator; held: "
        "given up, at rest, for a person; success with AMS and without, same scenes, same faults"
    )
    table = figure_table(
        *("fault", "took effect", "detected", "kind right", "proven", "at rest", "see", "p99", "stop", "p99"),
        *("recovered", "held", "with", "95 %", "without", "95 %"),
        wraps=True,
    )
    for row in rows:
        table.add_row(*_fault_row(row))
    print_table(table)
    for row in rows:
        seen = ", ".join(f"{rule} {count}" for rule, count in row["rules"].items()) or "nothing"
        rungs = ", ".join(f"{rung} {count}" for rung, count in row["rungs"].items()) or "none"
        right = ", ".join(row["right_kinds"])
        console().print(f"  {row['fault']}: by {seen}; stopped by {rungs}; right: {right} ({row['reason']})")
    console().print("")


def _fault_row(row: dict[str, Any]) -> list[str]:
    see, stop = row["seconds_to_see"], row["seconds_to_stop"]
    return [
        row["fault"],
        f"{row['took_effect']}/{row['episodes']}",
        *(_of(row[key]) for key in ("detected", "kind_right", "stopped", "truly_at_rest")),
        *(_seconds(see), _seconds(see, "p99"), _seconds(stop), _seconds(stop, "p99")),
        *(_of(row[key]) for key in ("recovered", "held_for_a_person")),
        *(_of(row["success_with"]), _interval(row["success_with"])),
        *(_of(row["success_without"]), _interval(row["success_without"])),
    ]


def _show_clean(found: dict[str, Any]) -> None:
    console().print(
        f"Without a fault: {found['episodes']} tasks, {found['hours']:.2f} h of simulated work, "
        f"{found['exceptions']} exceptions, {found['false_alarms']} of them false "
        f"({found['false_alarms_per_hour']:.2f} per hour)"
    )
    for reason, count in found["true_exceptions"].items():
        console().print(f"  {count} times {reason}")
    for trial in found["per_episode"]:
        for alarm in trial["alarms"]:
            if not alarm["true"]:
                console().print(f"  false: seed {trial['seed']}, {alarm['rule']}: {alarm['message']}", markup=False)
    console().print(
        f"Success with AMS {_of(found['success_with'])} ({_interval(found['success_with'])} %), "
        f"without {_of(found['success_without'])} ({_interval(found['success_without'])} %): "
        f"{found['points_lost']:+.1f} points lost; {found['given_up']} tasks were given up\n"
    )


def _show_durations(found: dict[str, Any]) -> None:
    if found["slices"]:
        console().print(
            f"Checks of sub-slices: {found['slices']} slices took {found['guarded_seconds']:.3f} s of simulated time "
            f"with them and {found['direct_seconds']:.3f} s without, ratio {found['ratio_median']:.6f}, "
            f"at most {found['ratio_max']:.6f}"
        )


def _of(share: dict[str, Any]) -> str:
    return f"{share['count']}/{share['of']}" if share["of"] else "-"


def _interval(share: dict[str, Any]) -> str:
    if share["ci95"] is None:
        return ""
    low, high = share["ci95"]
    return f"{low * 100:.0f}-{high * 100:.0f}"


def _seconds(spread: dict[str, float] | None, key: str = "median") -> str:
    return "" if spread is None else f"{spread[key]:.2f}"
