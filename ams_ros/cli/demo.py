"""`ams demo`: one cube, from an empty machine to a film and a page about it."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ams_ros.cli.output import console

SEED = 2
"""Of the scene; fixed, so that a demo shows the same to everybody, whether it succeeds or not."""
BUDGET = 600


def demo(
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the results go.")] = Path("out"),
    policy: Annotated[str | None, typer.Option(help="Name or folder of the policy checkpoint.")] = None,
    mode: Annotated[str, typer.Option(help="direct, or context: with the context pool.")] = "direct",
) -> None:
    """Start the graph, let the policy put one cube into the bowl, and leave a film and an HTML page about it.

    Exit code 0 when the cube is in the bowl at the end, 1 otherwise.
    """
    from ams_ros.cli.demonstration import Demonstration
    from ams_ros.cli.graph import GraphOptions
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.cli.task_report import TaskSettings

    settings = TaskSettings("cubes", None, 1, SEED, mode, BUDGET)
    with Interrupts() as interrupts:
        try:
            shown = Demonstration(out, GraphOptions(policy=policy), settings).run(console(), interrupts)
        except KeyboardInterrupt:
            raise typer.Exit(1) from None
    for line in (shown.report.sentence(), *shown.report.pool_lines(runs_on=False)):
        console().print(line, markup=False)
    for label, path in (("Film", shown.video), ("Page", shown.page), ("Report", shown.json), ("Latest", shown.latest)):
        console().print(f"{label + ':':<8} {path}", markup=False)
    raise typer.Exit(shown.report.exit_code)
