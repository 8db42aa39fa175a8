"""`ams run`: one task over the real nodes."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ams_ros.cli.output import console, writable_file
from ams_ros.cli.up import full_namespace, split_setting
from ams_ros.errors import ConfigurationError

if TYPE_CHECKING:
    from ams_ros.cli.graph import GraphOptions
    from ams_ros.cli.task_report import TaskReport, TaskSettings


def run(
    instruction: Annotated[
        str | None, typer.Argument(help='What to do, such as "put the cubes in the bowl" [default: the task\'s own].')
    ] = None,
    *,
    task: Annotated[str, typer.Option(help="Scene the simulated robot builds, and what a job is in it.")] = "cubes",
    objects: Annotated[int, typer.Option(help="Objects in the scene.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the scene and of the policy's noise.")] = 0,
    mode: Annotated[
        str,
        typer.Option(
            help="direct; reset: goes back and tries again; context: with the pool; exception: and recovery; "
            "ams: and goes on guided by what succeeded."
        ),
    ] = "direct",
    jobs: Annotated[int, typer.Option(help="In modes reset and ams: how many are to be done; 0: not known.")] = 0,
    budget: Annotated[int, typer.Option(help="Steps the task may take.")] = 1500,
    guide: Annotated[
        str | None,
        typer.Option(metavar="REFERENCE", help="Start from a context or an episode of the pool, or: similar."),
    ] = None,
    start_time: Annotated[
        float | None, typer.Option(help="With --guide: flow time to start at, above 0 to 1 [default: 0.5].")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="With --guide: latent, noise or renoised [default: latent].")
    ] = None,
    guided_slices: Annotated[
        int | None, typer.Option(help="With --guide: how many of the first slices [default: 1].")
    ] = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start a graph for this task alone.")] = False,
    policy: Annotated[str | None, typer.Option(help="With --start: name or folder of the checkpoint.")] = None,
    robot: Annotated[
        str | None, typer.Option(help="With --start: a file under config/overlays, such as jaka_s5.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NODE.PARAMETER=VALUE", help="With --start: set a parameter.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report.")] = None,
    video: Annotated[Path | None, typer.Option(metavar="FILE", help="Film the task: FILE.mp4 or FILE.gif.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Of the nodes; by default that of the node list.")] = None,
) -> None:
    """Run one task on a running graph, or with --start on one of its own, and score it. Ctrl-C cancels the task.

    Exit code 0: the task ended by itself or by its budget, and the simulator calls it a success. 1: anything else,
    also when no simulated robot is there to judge. 2: it was asked for something that cannot be.
    """
    from ams_ros.cli.graph import GraphOptions
    from ams_ros.cli.task_report import TaskSettings, chosen_guidance
    from ams_ros.cli.video import SUFFIXES

    guidance, slices = chosen_guidance(guide, start_time, variant, guided_slices)
    wanted = TaskSettings(task, instruction, objects, seed, mode, budget, guidance, slices, jobs)
    chosen = tuple(map(split_setting, settings or ()))
    if not start and (policy is not None or robot is not None or chosen):
        allowed = "--start with --policy, --robot and --set: a running graph has its own"
        raise ConfigurationError("--start", False, allowed)
    options = GraphOptions(namespace=full_namespace(namespace), policy=policy, robot=robot, settings=chosen)
    json_file = json_file and writable_file("--json", json_file)
    video = video and writable_file("--video", video, SUFFIXES)
    try:
        report = _run_task(wanted, options, start, video)
    except KeyboardInterrupt:
        raise typer.Exit(1) from None
    if json_file is not None:
        json_file.write_text(report.to_json(), encoding="utf-8")
    for line in (report.sentence(), *report.pool_lines(runs_on=not start)):
        console().print(line, markup=False)
    if video is not None:
        console().print(f"Video: {video}", markup=False)
    raise typer.Exit(report.exit_code)


def _run_task(wanted: TaskSettings, options: GraphOptions, start: bool, video: Path | None) -> TaskReport:
    """Run it on the running graph, or on one of its own that ends with it."""
    from ams_ros.cli.graph import Graph, listed_namespace
    from ams_ros.cli.graph_client import GraphClient
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.cli.progress_view import ProgressView
    from ams_ros.cli.ros_session import RosSession
    from ams_ros.cli.task_run import TaskRun

    out = console()
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        if start:
            session = stack.enter_context(Graph(options, out.print, interrupts.check)).session
        else:
            session = stack.enter_context(RosSession(interrupts.check))
        client = GraphClient(session, listed_namespace(options.namespace))
        client.require_graph()
        view = stack.enter_context(ProgressView(out, wanted.budget, wanted.jobs))
        return TaskRun(client, wanted, (view,)).run(video)
