"""`ams evaluate`: many episodes in this machine's processes, without DDS."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ams_ros.cli.output import console, writable_file


def evaluate(
    *,
    task: Annotated[str, typer.Option(help="What to evaluate on.")] = "cubes",
    objects: Annotated[int, typer.Option(help="Objects in every scene.")] = 1,
    mode: Annotated[str, typer.Option(help="direct, or context: every episode with an empty pool.")] = "direct",
    episodes: Annotated[int, typer.Option(help="How many scenes.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the first episode; the others follow.")] = 100_000,
    policy: Annotated[str, typer.Option(help="Name or folder of the checkpoint.")] = "cubes",
    cap: Annotated[int, typer.Option(help="Step budget of every episode.")] = 1500,
    until_cap: Annotated[bool, typer.Option(help="Go on after the policy has come to rest, up to the cap.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one per core.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report.")] = None,
) -> None:
    """Evaluate a policy with the very task loop of the nodes, as fast as this machine allows.

    Exit code 0 whatever the success rate: the evaluation itself worked.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ams_ros.benchmark.request import EvaluationRequest

    cores = len(os.sched_getaffinity(0))
    chosen = cores if workers is None else workers
    request = EvaluationRequest(task, mode, objects, episodes, seed, policy, cap, until_cap, chosen)
    json_file = json_file and writable_file("--json", json_file)
    # Only now: the policy's libraries take seconds to load, and a refusal should not wait for them.
    from ams_ros.benchmark import evaluate as evaluation
    from ams_ros.benchmark.report import Episode

    out = console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=not out.is_terminal, transient=True) as progress:
        bar = progress.add_task("", total=episodes)
        ended = successes = 0

        def count(episode: Episode) -> None:
            nonlocal ended, successes
            ended, successes = ended + 1, successes + episode.success
            progress.update(bar, completed=ended, description=f"{successes} of {ended} succeeded")
            if not out.is_terminal:
                verdict = "success" if episode.success else f"{episode.placed} of {objects} placed"
                out.print(f"{ended}/{episodes}: seed {episode.seed}, {verdict}, {episode.steps} steps")

        report = evaluation.evaluate(request, count)
    if json_file is not None:
        json_file.write_text(report.to_json() + "\n", encoding="utf-8")
    found = report.as_dictionary()
    low, high = found["ci95"]
    out.print(
        f"{task}, {mode}, {objects} objects: {found['success']} of {episodes} episodes succeeded "
        f"({found['success_rate']:.0%}, 95 % interval {low:.0%} to {high:.0%}). Steps to success: "
        f"median {found['steps_median_successful']}, mean {found['steps_mean_capped']:.0f} "
        f"with failures counted as {cap}."
    )
