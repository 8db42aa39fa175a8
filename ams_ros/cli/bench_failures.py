"""`ams bench failures`: recorded failures of a real arm, and whether the rules of the wrench find them."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ams_ros.cli.output import console, print_table, writable_file, write_figures
from ams_ros.errors import ConfigurationError

_PROBLEMS = ("lp1", "lp2")


def bench_failures(
    *,
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where lp1.data.txt and lp2.data.txt of UCI's data set lie.")
    ] = Path("../shared/data/robot_execution_failures"),
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures.")] = None,
) -> None:
    """Calibrate on half of the normal motions of UCI's Robot Execution Failures and judge all other series.

    Twice for each problem, with either half, and with the same settings for both problems.
    """
    from rich.table import Table

    from ams_ros.benchmark.execution_failures import NORMAL, judge, read_series

    files = {problem: folder / f"{problem}.data.txt" for problem in _PROBLEMS}
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        raise ConfigurationError("--folder", str(folder), f"a folder with {' and '.join(missing)}")
    json_file = json_file and writable_file("--json", json_file)
    reports = [judge(name, read_series(path), half) for name, path in files.items() for half in (0, 1)]
    table = Table("problem", "half", "learned from", "learned limits", "failures found", "false alarms")
    for report in reports:
        normal = sum(each.series for each in report.tallies if each.kind == NORMAL)
        limits = ", ".join(f"{name} {value:g}" for name, value in report.limits.items())
        table.add_row(
            report.problem,
            str(report.half),
            f"{report.learned_from} normal",
            limits,
            f"{report.found} of {report.failures}",
            f"{report.false_alarms} of {normal}",
        )
    print_table(table)
    for report in reports:
        kinds = ", ".join(f"{each.kind} {each.alarms} of {each.series}" for each in report.tallies)
        console().print(f"{report.problem}, half {report.half}, series with an alarm: {kinds}")
    write_figures(json_file, {"problems": [report.as_dictionary() for report in reports]})
