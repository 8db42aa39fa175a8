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


def bench_reaction(
    *,
    rate: Annotated[list[float] | None, typer.Option(help="Hz; may be repeated. Default: 100 250 500 1000.")] = None,
    samples: Annotated[int | None, typer.Option(help="Stops at each rate: 200, or 12 with --quick.")] = None,
    loaded: Annotated[int | None, typer.Option(help="Stops while inference runs: 100, or 6 with --quick.")] = None,
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
        loaded=loaded if loaded is not None else 6 if quick else 100,
        watched=2.0 if quick else 5.0,
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
    from ams_ros.cli.reaction_processes import NAMESPACE, reaction_processes
    from ams_ros.cli.reaction_rounds import ReactionRounds
    from ams_ros.cli.ros_session import RosSession

    rows: dict[str, list[dict[str, Any]]] = {"quiet": [], "loaded": []}
    with Interrupts() as interrupts, GraphClaim(NAMESPACE):
        for rate in request.rates:
            with RosSession(interrupts.check) as session, reaction_processes(session, rate) as running:
                session.watch = lambda: (interrupts.check(), running.watch())[0]
                rounds = ReactionRounds(session, running, rate)
                tell(f"{rate:g} Hz")
                rounds.prepare()
                rows["quiet"].append(rounds.measure(request.samples, request.watched))
                if request.loaded:
                    tell(f"{rate:g} Hz while inference runs")
                    with running.load():
                        rows["loaded"].append(rounds.measure(request.loaded, request.watched))
    return {
        **worst(rows["quiet"], ""),
        **(worst(rows["loaded"], "loaded_") if rows["loaded"] else {}),
        **rows,
    }
