"""`ams bench pool`: what the context pool costs, against controls measured in turn with it."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ams_ros.cli.output import console, writable_file, write_figures

QUICK_CONTEXTS = 5_000


def bench_pool(
    *,
    contexts: Annotated[int | None, typer.Option(help="In the filled pool: 100000, or 5000 with --quick.")] = None,
    largest: Annotated[int | None, typer.Option(help="Where growth ends: 1000000, or 5000 with --quick.")] = None,
    policy: Annotated[str, typer.Option(help="Name or folder of the checkpoint.")] = "cubes",
    seed: Annotated[int, typer.Option(help="Of the made-up contexts.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds, fewer contexts, three repeats.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw how look-ups grow: FILE.png.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures.")] = None,
) -> None:
    """Measure look-ups, hashing, copies, services, deduplication and memory of the pool, beside their goals.

    Exit code 0 whether goals are met or not: the measurement itself worked.
    """
    from ams_ros.benchmark.pool.request import PoolBenchRequest

    request = PoolBenchRequest(
        contexts=contexts if contexts is not None else QUICK_CONTEXTS if quick else 100_000,
        largest=largest if largest is not None else QUICK_CONTEXTS if quick else 1_000_000,
        policy=policy,
        seed=seed,
        quick=quick,
    )
    json_file = json_file and writable_file("--json", json_file)
    plot = plot and writable_file("--plot", plot, (".png",))
    # Not in /tmp, which may lie in memory: one part measures a disk.
    work = writable_file("the current folder", Path.cwd() / ".ams_bench").parent
    # Only now: the policy's libraries take seconds to load, and a refusal should not wait for them.
    import tempfile

    from ams_ros.benchmark.pool.bench import measure_pool
    from ams_ros.cli.bench_pool_view import show
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.cli.pool_service_time import measure_service

    def service(calls: int, rounds: int) -> Mapping[str, float]:
        # Only here: elsewhere nobody asks for the flag, and Ctrl-C shall end the computing at once.
        with Interrupts() as interrupts:
            return measure_service(interrupts.check, calls, rounds).figures()

    out = console()
    try:
        with tempfile.TemporaryDirectory(dir=work, prefix=".ams_bench_") as folder:
            figures = measure_pool(request, Path(folder), service, lambda part: out.print(f"{part} ..."))
    except KeyboardInterrupt:
        raise typer.Exit(1) from None
    write_figures(json_file, figures)
    if plot is not None:
        from ams_ros.benchmark.pool.plot import plot_growth

        plot_growth(figures["growth"], plot)
    show(figures, judged=not quick)
    if quick:
        out.print("Too short and too small to judge the goals by.")
