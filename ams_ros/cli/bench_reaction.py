"""`ams bench reaction`: from the offending sample to the arm at rest, against a bare hop and cancel in turn with it."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ams_ros.cli.output import console, writable_file, write_figures

if TYPE_CHECKING:
    from ams_ros.benchmark.reaction.request import ReactionBenchRequest
    from ams_ros.cli.reaction_processes import InferenceLoad


def bench_reaction(
    *,
    rate: Annotated[list[float] | None, typer.Option(help="Hz; may be repeated. Default: 100 250 500 1000.")] = None,
    samples: Annotated[int | None, typer.Option(help="Stops at each rate: 200, or 12 with --quick.")] = None,
    loaded: Annotated[int | None, typer.Option(help="Stops while inference runs: 40, or 5 with --quick.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few stops.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures.")] = None,
) -> None:
    """Measure how fast the exception monitor stops the simulated arm over DDS, beside its goals.

    Exit code 0 whether goals are met or not: the measurement itself worked.
    """
    from ams_ros.benchmark.reaction.request import RATES, ReactionBenchRequest

    request = ReactionBenchRequest(
        rates=tuple(rate or RATES),
        samples=samples if samples is not None else 12 if quick else 200,
        loaded=loaded if loaded is not None else 5 if quick else 40,
        watched=1.5 if quick else 3.0,
    )
    json_file = json_file and writable_file("--json", json_file)
    from ams_ros.cli.bench_reaction_view import show

    out = console()
    try:
        figures = _measure(request, lambda part: out.print(f"{part} ..."))
    except KeyboardInterrupt:
        raise typer.Exit(1) from None
    write_figures(json_file, figures)
    show(figures, judged=not quick)
    if quick:
        out.print("Too few stops to judge the goals by.")


def _measure(request: ReactionBenchRequest, tell: Callable[[str], None]) -> dict[str, Any]:
    from ams_ros.benchmark.reaction.figures import worst
    from ams_ros.cli.graph_claim import GraphClaim
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.cli.reaction_processes import NAMESPACE, inference_load

    with Interrupts() as interrupts, GraphClaim(NAMESPACE), inference_load(request.loaded > 0) as load:
        rows = [_measure_rate(request, rate, load, interrupts.check, tell) for rate in request.rates]
    quiet, loaded = [row[0] for row in rows], [row[1] for row in rows if len(row) > 1]
    return {
        **worst(quiet, ""),
        **(worst(loaded, "loaded_") if loaded else {}),
        "quiet": quiet,
        "loaded": loaded,
    }


def _measure_rate(
    request: ReactionBenchRequest,
    rate: float,
    load: InferenceLoad | None,
    check: Callable[[], None],
    tell: Callable[[str], None],
) -> list[dict[str, Any]]:
    """The figures of one rate: on a quiet machine, and with the load when there is one."""
    from ams_ros.cli.reaction_processes import reaction_processes
    from ams_ros.cli.reaction_rounds import ReactionRounds
    from ams_ros.cli.ros_session import RosSession

    tell(f"{rate:g} Hz")
    with RosSession(check) as session, reaction_processes(session, rate) as running:

        def watch() -> None:
            check()
            running.watch()

        session.watch = watch
        rounds = ReactionRounds(session, running, rate)
        if load is None:
            rounds.prepare()
            return [rounds.measure(request.samples, request.watched)]
        load.wait(session)
        with load.off():
            rounds.prepare()
            quiet = rounds.measure(request.samples, request.watched)
        return [quiet, rounds.measure(request.loaded, request.watched)]
