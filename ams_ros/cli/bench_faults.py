"""`ams bench faults`: what the exception guard sees, stops and survives, and what it raises for nothing."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ams_ros.cli.output import console, writable_file, write_figures


def bench_faults(
    *,
    policy: Annotated[str, typer.Option(help="Name or folder of the checkpoint.")] = "cubes",
    fault: Annotated[list[str] | None, typer.Option(help="Only this one; may be given again. Default: all.")] = None,
    episodes: Annotated[int | None, typer.Option(help="Tasks per fault: 20, or 3 with --quick.")] = None,
    clean: Annotated[
        int | None, typer.Option(help="Tasks without a fault: 320, more than an hour, or 20 with --quick.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the first scene with a fault; all faults use the same ones.")] = 720_000,
    clean_seed: Annotated[int, typer.Option(help="Of the first scene without one.")] = 730_000,
    cap: Annotated[int, typer.Option(help="Step budget of every task.")] = 1500,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one per core.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few faults and tasks.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures.")] = None,
) -> None:
    """Inject faults into running tasks, with the exception guard and without, and count alarms in clean ones.

    Exit code 0 whatever was found: the measurement itself worked.
    """
    from ams_ros.benchmark.faults.request import QUICK_FAULTS, FaultsRequest
    from ams_ros.simulation.faults.fault import FAULTS

    request = FaultsRequest(
        policy=policy,
        faults=tuple(fault or (QUICK_FAULTS if quick else FAULTS)),
        episodes=(3 if quick else 20) if episodes is None else episodes,
        clean=(20 if quick else 320) if clean is None else clean,
        seed=seed,
        clean_seed=clean_seed,
        workers=len(os.sched_getaffinity(0)) if workers is None else workers,
        cap=cap,
    )
    json_file = json_file and writable_file("--json", json_file)
    # Only now: the policy's libraries take seconds to load, and a refusal should not wait for them.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ams_ros.benchmark.faults.bench import bench_faults as measure
    from ams_ros.cli.bench_faults_view import show

    out = console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=not out.is_terminal, transient=True) as progress:
        bar = progress.add_task("tasks", total=request.clean + request.episodes * len(request.faults))
        report = measure(request, lambda trial: progress.advance(bar))
    write_figures(json_file, report.as_dictionary())
    show(report)
