"""`ams evaluate`: many episodes in this machine's processes, without DDS."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ams_ros.cli.output import console, writable_file

if TYPE_CHECKING:
    from ams_ros.benchmark.report import Episode, EvaluationReport
    from ams_ros.benchmark.request import EvaluationRequest


def evaluate(
    task: Annotated[str, typer.Argument(help="What to evaluate on.")] = "cubes",
    *,
    objects: Annotated[int, typer.Option(help="Objects in every scene.")] = 1,
    mode: Annotated[str, typer.Option(help="direct, reset, context, exception or ams.")] = "direct",
    episodes: Annotated[int, typer.Option(help="How many scenes.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the first episode; the others follow.")] = 900_000,
    policy: Annotated[str | None, typer.Option(help="Name or folder of the checkpoint; by default the task's.")] = None,
    robot: Annotated[str, typer.Option(help="Profile of the simulated arm.")] = "widowx_250s",
    cap: Annotated[int, typer.Option(help="Step budget of every episode.")] = 1500,
    until_cap: Annotated[
        bool,
        typer.Option(
            "--until-cap/--until-rest",
            help="In modes that do not replay: go on after the policy has come to rest, up to the cap.",
        ),
    ] = True,
    library: Annotated[int, typer.Option(help="Successes with one object the pool of each episode begins with.")] = 3,
    faults: Annotated[str, typer.Option(help="Troubles that keep coming: none, slick, pushes, offsets, all.")] = "none",
    tell_jobs: Annotated[bool, typer.Option("--tell-jobs", help="Tell the robot how many objects there are.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one per core.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report.")] = None,
) -> None:
    """Evaluate a policy with the very task loop of the nodes, as fast as this machine allows.

    The simulator's truth scores the episodes and is sealed against everybody else. Exit code 0 whatever the success
    rate: the evaluation itself worked.
    """
    from ams_ros.benchmark.library import check_seeds
    from ams_ros.benchmark.request import EvaluationRequest
    from ams_ros.benchmark.workplace import surroundings_of

    surroundings_of(robot, task)
    request = EvaluationRequest(
        task,
        mode,
        objects,
        episodes,
        seed,
        policy=_shipped(robot, task) if policy is None else policy,
        cap=cap,
        until_cap=until_cap,
        workers=len(os.sched_getaffinity(0)) if workers is None else workers,
        robot=robot,
        library=library,
        faults=faults,
        tell_jobs=tell_jobs,
    )
    check_seeds(request.seeds)
    json_file = json_file and writable_file("--json", json_file)
    report = _run(request)
    if json_file is not None:
        json_file.write_text(report.to_json() + "\n", encoding="utf-8")
    _show(report)


def _shipped(robot: str, task: str) -> str:
    """The checkpoint of that task: the WidowX's go by the task's name alone."""
    return task if robot == "widowx_250s" else f"{robot.partition('_')[0]}_{task}"


def _run(request: EvaluationRequest) -> EvaluationReport:
    # Only now: the policy's libraries take seconds to load, and a refusal should not wait for them.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ams_ros.benchmark import evaluate as evaluation

    out = console()
    out.print(f"at most {request.cap} steps an episode, fixed beforehand; seeds {request.seed} and on")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=not out.is_terminal, transient=True) as progress:
        bar = progress.add_task("", total=request.episodes)
        ended = successes = 0

        def count(episode: Episode) -> None:
            nonlocal ended, successes
            ended, successes = ended + 1, successes + episode.success
            progress.update(bar, completed=ended, description=f"{successes} of {ended} succeeded")
            if not out.is_terminal:
                verdict = "success" if episode.success else f"{episode.placed} of {request.objects} placed"
                out.print(
                    f"{ended}/{request.episodes}: seed {episode.seed}, {verdict}, {episode.steps} steps, "
                    f"{episode.jobs} jobs seen, {episode.replays} returns, {episode.exceptions} exceptions, "
                    f"{episode.outcome}"
                )

        return evaluation.evaluate(request, count)


def _show(report: EvaluationReport) -> None:
    found = report.as_dictionary()
    low, high = found["ci95"]
    console().print(
        f"{report.task}, {report.mode}, {report.objects} objects: {found['success']} of {found['episodes']} episodes "
        f"succeeded ({found['success_rate']:.0%}, 95 % interval {low:.0%} to {high:.0%}). Steps to success: "
        f"median {found['steps_median_successful']}, mean {found['steps_mean_capped']:.0f} "
        f"with failures counted as {report.cap}, {found['steps_mean_short_cap']:.0f} with more than "
        f"{found['short_cap']} counted as that."
    )
