"""`ams demo`: a policy that was taught one cube clears a table of three, with AMS; film and page about it."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ams_ros.cli.output import console

CUBES = 3
SEED = 2
"""Of the scene and of the noise; fixed, so that a demo shows the same scene to everybody."""
BUDGET = 1000


def demo(
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the results go.")] = Path("out"),
    policy: Annotated[str | None, typer.Option(help="Name or folder of the policy checkpoint.")] = None,
    seed: Annotated[int, typer.Option(help="Of the scene and of the policy's noise, in both runs.")] = SEED,
) -> None:
    """Three cubes over the real nodes, twice: direct inference, then AMS, which also has a push to recover from.

    Leaves a film of both side by side, an HTML page and a JSON report. Exit code 0 when the run with AMS clears the
    table, says the simulator; 1 otherwise. Direct inference is expected to fail, and is shown however it goes.
    """
    from ams_ros.cli.demo_page import summary
    from ams_ros.cli.demonstration import Demonstration
    from ams_ros.cli.graph import GraphOptions
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.cli.task_report import TaskSettings

    settings = TaskSettings("cubes", None, CUBES, seed, "ams", BUDGET, jobs=CUBES)
    with Interrupts() as interrupts:
        try:
            shown = Demonstration(out, GraphOptions(policy=policy), settings).run(console(), interrupts)
        except KeyboardInterrupt:
            raise typer.Exit(1) from None
    report = shown.record.ams.report
    for line in summary(shown.record):
        console().print(line, markup=False)
    for label, path in (("Film", shown.film), ("Page", shown.page), ("Report", shown.json), ("Latest", shown.latest)):
        console().print(f"{label + ':':<8} {path}", markup=False)
    if report.exit_code:
        console().print("AMS did NOT clear the table in this run.", markup=False)
    raise typer.Exit(report.exit_code)
