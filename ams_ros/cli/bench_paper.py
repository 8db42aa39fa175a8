"""`ams bench paper`: the paper's figures and tables, measured."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ams_ros.cli.output import console
from ams_ros.errors import ConfigurationError

if TYPE_CHECKING:
    from ams_ros.benchmark.paper.cell import Cell
    from ams_ros.benchmark.report import Episode


def bench_paper(
    *,
    folder: Annotated[
        Path, typer.Option("--json", metavar="DIR", help="Where cells, figures and pages are kept, and found again.")
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD=CHECKPOINT",
            help="Policy for cubes, cups, mixed, jaka (cubes on that arm), or seed1, seed2 ... (cubes, other training "
            "seeds); may be given again. Default: what is shipped.",
        ),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this figure; may be given again.")] = None,
    episodes: Annotated[int | None, typer.Option(help="Of every cell: 50, or 10 with --quick.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one per core.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few cells, in some ten minutes.")] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be run and how long it takes; run nothing.")
    ] = False,
) -> None:
    """Measure what the paper measures, each as JSON, PNG and a table; cells that are there are not run again.

    Exit code 0 whatever was found: the measurement itself worked.
    """
    from ams_ros.benchmark.paper.request import LEAST_EPISODES, QUICK_EPISODES, PaperRequest
    from ams_ros.cli.bench_paper_view import show_findings, show_plan

    policies = _policies(policy or [])
    _writable_folder(folder)
    # Only now: the policy's libraries take seconds to load, and a refusal should not wait for them.
    from ams_ros.benchmark.paper.bench import PaperBench
    from ams_ros.benchmark.paper.catalogue import FIGURES

    request = PaperRequest(
        folder=folder,
        policies=policies,
        figures=tuple(only or [figure.name for figure in FIGURES]),
        episodes=(QUICK_EPISODES if quick else LEAST_EPISODES) if episodes is None else episodes,
        workers=len(os.sched_getaffinity(0)) if workers is None else workers,
        quick=quick,
    )
    out = console()
    bench = PaperBench(request, lambda line: out.print(line, markup=False))
    planned = bench.plan()
    show_plan(planned)
    if plan:
        return
    left = planned.episodes

    def count(cell: Cell, episode: Episode) -> None:
        nonlocal left
        left -= 1
        verdict = "success" if episode.success else f"{episode.placed} of {cell.objects} placed"
        out.print(f"{cell.name}, seed {episode.seed}: {verdict}, {episode.steps} steps; {left} episodes left")

    show_findings(bench.run(count), folder)


def _policies(given: list[str]) -> dict[str, str]:
    from ams_ros.benchmark.paper.request import SHIPPED_AS
    from ams_ros.policy.checkpoint import SHIPPED

    policies = {word: name for word, name in SHIPPED_AS.items() if (SHIPPED / name).is_dir()}
    for text in given:
        word, equals, checkpoint = text.partition("=")
        if not (word and equals and checkpoint):
            raise ConfigurationError("policy", text, "WORD=CHECKPOINT, such as cubes=out/training/cubes/checkpoint")
        policies[word] = checkpoint
    return policies


def _writable_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Found out now, not after the first hour.
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError("--json", str(folder), f"a folder that can be written ({error.strerror})") from error
