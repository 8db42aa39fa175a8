"""`ams bench deaths`: from the kill -9 of a node in the midst of a motion to the arm at rest."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ams_ros.cli.output import console, writable_file, write_figures

if TYPE_CHECKING:
    from ams_ros.benchmark.deaths.request import DeathsBenchRequest

RATE = 250.0
"""Hz of the joint states, by which the arm is seen to come to rest."""


def bench_deaths(
    *,
    case: Annotated[
        list[str] | None, typer.Option(help="monitor, supervisor, inference, pool or both; repeatable. Default: all.")
    ] = None,
    kills: Annotated[int | None, typer.Option(help="Of each case: 20, or 3 with --quick.")] = None,
    policy: Annotated[str, typer.Option(help="Name or folder of the checkpoint.")] = "cubes",
    quick: Annotated[bool, typer.Option("--quick", help="Few kills.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures.")] = None,
) -> None:
    """Kill nodes while a task moves the simulated arm, and measure how long the arm goes on moving.

    `both` kills monitor and supervisor together: nobody is left to stop the arm then, and the motion runs to its end.
    Exit code 0 whether goals are met or not: the measurement itself worked.
    """
    from ams_ros.benchmark.deaths.request import VICTIMS, DeathsBenchRequest

    request = DeathsBenchRequest(tuple(case or VICTIMS), kills if kills is not None else 3 if quick else 20, policy)
    json_file = json_file and writable_file("--json", json_file)
    from ams_ros.benchmark.deaths.figures import overall
    from ams_ros.cli.bench_deaths_view import show

    out = console()
    try:
        rows = _measure(request, out.print)
    except KeyboardInterrupt:
        raise typer.Exit(1) from None
    figures = {**overall(rows), "cases": rows}
    write_figures(json_file, figures)
    show(figures, judged=not quick)


def _measure(request: DeathsBenchRequest, tell: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    from ams_ros.benchmark.deaths.figures import death_figures
    from ams_ros.benchmark.deaths.request import VICTIMS
    from ams_ros.cli.death_rounds import DeathRounds
    from ams_ros.cli.graph import GraphOptions
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.cli.mortal_graph import MortalGraph

    settings = (
        ("context_pool.store", "''"),
        ("simulated_robot.joint_state_rate", str(RATE)),
        ("replay_supervisor.infer_timeout", "5.0"),
    )
    options = GraphOptions(policy=request.policy, settings=settings, log_level="warn")
    rows: dict[str, dict[str, Any]] = {}
    with Interrupts() as interrupts, MortalGraph(options, lambda line: None, interrupts.check) as graph:
        rounds = DeathRounds(graph, tell)
        for case in request.cases:
            tell(f"{case}: {request.kills} kills ...")
            deaths = rounds.measure(case, VICTIMS[case], request.kills)
            rows[case] = death_figures(deaths, stops=case != "pool")
    return rows
