"""`ams bench reuse`: what the context pool gives, what it costs, and where it does not pay."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ams_ros.cli.output import console, writable_file, write_figures


def bench_reuse(
    *,
    policy: Annotated[str, typer.Option(help="Name or folder of the checkpoint.")] = "cubes",
    episodes: Annotated[int | None, typer.Option(help="Scenes per row: 20, or 2 with --quick.")] = None,
    seed: Annotated[int, typer.Option(help="Of the first scene; all rows use the same ones.")] = 400_000,
    cap: Annotated[int, typer.Option(help="Step budget of every episode.")] = 1500,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one per core.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few rows, one cube.")] = False,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="Also pi0's published size with random weights; needs 10 GiB.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures.")] = None,
) -> None:
    """Compare ways to reuse with direct inference: success, throughput, time by stage, cost of having a pool."""
    from ams_ros.benchmark.reuse.request import ReuseRequest

    cores = len(os.sched_getaffinity(0))
    request = ReuseRequest(
        policy=policy,
        episodes=(2 if quick else 20) if episodes is None else episodes,
        seed=seed,
        workers=cores if workers is None else workers,
        cap=cap,
        quick=quick,
    )
    json_file = json_file and writable_file("--json", json_file)
    # Only now: the policy's libraries take seconds to load, and a refusal should not wait for them.
    from ams_ros.benchmark.reuse.bench import bench_reuse as measure
    from ams_ros.benchmark.reuse.figures import CellFigures
    from ams_ros.cli.bench_reuse_view import show

    out = console()
    done = 0

    def count(figures: CellFigures) -> None:
        nonlocal done
        done += 1
        successes = f"{figures.successes} of {len(figures.episodes)} succeeded"
        out.print(f"{done}: {figures.scenes.name}; {figures.cell.name}: {successes}")

    report = measure(request, cores if full_size else 0, count)
    write_figures(json_file, report.as_dictionary())
    show(report)
