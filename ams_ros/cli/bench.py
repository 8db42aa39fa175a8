"""`ams bench`: what a slice and what the graph cost on this machine."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ams_ros.cli.bench_deaths import bench_deaths
from ams_ros.cli.bench_failures import bench_failures
from ams_ros.cli.bench_faults import bench_faults
from ams_ros.cli.bench_paper import bench_paper
from ams_ros.cli.bench_pool import bench_pool
from ams_ros.cli.bench_reaction import bench_reaction
from ams_ros.cli.bench_reuse import bench_reuse
from ams_ros.cli.output import console, writable_file, write_figures
from ams_ros.errors import ConfigurationError

if TYPE_CHECKING:
    from ams_ros.cli.graph import Graph
    from ams_ros.cli.graph_load import NodeLoad

bench = typer.Typer(name="bench", no_args_is_help=True, help="Measure what the parts of the suite cost here.")

bench.command("deaths")(bench_deaths)
bench.command("failures")(bench_failures)
bench.command("faults")(bench_faults)
bench.command("paper")(bench_paper)
bench.command("pool")(bench_pool)
bench.command("reaction")(bench_reaction)
bench.command("reuse")(bench_reuse)

JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures.")]


@bench.command("slice")
def bench_slice(
    *,
    policy: Annotated[str, typer.Option(help="Name or folder of the checkpoint.")] = "cubes",
    slices: Annotated[int, typer.Option(help="How many to infer.")] = 200,
    threads: Annotated[int, typer.Option(help="CPU threads of one inference.")] = 1,
    json_file: JsonFile = None,
) -> None:
    """Time inference stage by stage, in this process."""
    json_file = json_file and writable_file("--json", json_file)
    from ams_ros.benchmark.slice_time import time_slices

    stages = time_slices(policy, slices, threads)
    for stage in stages:
        console().print(f"{stage.stage:<8} median {stage.median * 1e3:6.2f} ms   p99 {stage.p99 * 1e3:6.2f} ms")
    write_figures(
        json_file, {"policy": policy, "slices": slices, "threads": threads, "stages": [asdict(s) for s in stages]}
    )


@bench.command("graph")
def bench_graph(
    *,
    seconds: Annotated[float, typer.Option(help="How long the idle graph is watched.")] = 20.0,
    json_file: JsonFile = None,
) -> None:
    """Start a graph and measure CPU and memory of its nodes, idle and during one task."""
    if not 1.0 <= seconds <= 3600.0:
        raise ConfigurationError("--seconds", seconds, "1 to 3600")
    json_file = json_file and writable_file("--json", json_file)
    from ams_ros.cli.graph import Graph, GraphOptions
    from ams_ros.cli.interrupts import Interrupts

    # Nothing on disk, so that what was stored before does not slow the start, and nothing is left behind.
    options = GraphOptions(settings=(("context_pool.store", "''"),))
    try:
        with Interrupts() as interrupts, Graph(options, lambda line: None, interrupts.check) as graph:
            figures = {"idle": _idle(graph, seconds), "task": _task(graph)}
    except KeyboardInterrupt:
        raise typer.Exit(1) from None
    write_figures(json_file, figures)


def _idle(graph: Graph, seconds: float) -> dict[str, Any]:
    """Watch a graph that nobody asks for anything, counting its joint states on the way."""
    from sensor_msgs.msg import JointState

    from ams_ros.cli.graph_load import load_of

    stamps: list[float] = []
    listener = graph.session.node.create_subscription(
        JointState, "/joint_states", lambda m: stamps.append(m.header.stamp.sec + m.header.stamp.nanosec * 1e-9), 100
    )
    graph.session.spin(1.0)
    stamps.clear()
    took, loads = load_of(graph.processes.identifiers, lambda: graph.session.spin(seconds))
    graph.session.node.destroy_subscription(listener)
    rate = len(stamps) / took
    _show("idle", loads)
    console().print(f"joint states arrive at {rate:.1f} Hz while both cameras are listened to")
    return {"seconds": took, "joint_state_hz": rate, "nodes": {name: asdict(load) for name, load in loads.items()}}


def _task(graph: Graph) -> dict[str, Any]:
    """Run one task of one cube and watch the nodes meanwhile."""
    from ams_ros.cli.graph_client import GraphClient
    from ams_ros.cli.graph_load import load_of
    from ams_ros.cli.task_report import TaskReport, TaskSettings
    from ams_ros.cli.task_run import TaskRun

    reports: list[TaskReport] = []
    run = TaskRun(GraphClient(graph.session, graph.namespace), TaskSettings("cubes", None, 1, 2, "direct", 600), ())
    took, loads = load_of(graph.processes.identifiers, lambda: reports.append(run.run()))
    _show("during a task", loads)
    console().print(reports[0].sentence(), markup=False)
    return {
        "seconds": took,
        "report": json.loads(reports[0].to_json()),
        "nodes": {name: asdict(load) for name, load in loads.items()},
    }


def _show(title: str, loads: dict[str, NodeLoad]) -> None:
    console().print(title)
    for name, load in loads.items():
        console().print(f"  {name:<18} {load.cpu:6.1%} of one core   {load.resident / 2**20:6.0f} MiB resident")
    console().print(f"  {'all':<18} {sum(load.cpu for load in loads.values()):6.1%} of one core")
