"""The same scene shown twice, by direct inference and with AMS: graph up, two tasks, film, page, graph down."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from ams_ros.cli.demo_audience import Audience
from ams_ros.cli.demo_fault import Push
from ams_ros.cli.demo_film import Panel, side_by_side
from ams_ros.cli.demo_page import demo_page
from ams_ros.cli.demo_record import DemoRecord, RunLog, RunRecord
from ams_ros.cli.graph import Graph, GraphOptions
from ams_ros.cli.graph_client import GraphClient
from ams_ros.cli.interrupts import Interrupts
from ams_ros.cli.output import writable_file
from ams_ros.cli.progress_view import ProgressView
from ams_ros.cli.ros_session import DISCOVERY_SECONDS
from ams_ros.cli.task_report import TaskSettings
from ams_ros.cli.task_run import TaskRun
from ams_ros.srv import GetPoolStats
from ams_ros.types import ActionException, Mode, TaskEvent

_TITLES = {Mode.DIRECT: "direct inference", Mode.AMS: "the same policy with AMS"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a demonstration left: what happened, and where the files are."""

    record: DemoRecord
    film: Path
    page: Path
    json: Path
    latest: Path


@dataclass(frozen=True, slots=True)
class _Filmed:
    """One run, its own film, and the second of that at which its task began."""

    run: RunRecord
    film: Path
    begin: float

    def panel(self) -> Panel:
        mode = Mode(self.run.report.mode)
        return Panel(
            self.film, self.begin, _TITLES[mode], self.run.moments, self.run.report.objects, attempts=mode.replayed
        )


class Demonstration:
    """Two runs on a graph of their own, with everything under a folder named by the time."""

    def __init__(self, base: Path, options: GraphOptions, settings: TaskSettings) -> None:
        """settings: of the run with AMS; direct inference gets the same scene, noise and budget.

        Raises ConfigurationError when nothing can be written under `base`.
        """
        self._ams = settings
        self._audience = Audience(())
        self._direct = replace(settings, mode=Mode.DIRECT.value, jobs=0)
        self._latest = base / "latest"
        self._folder = base / time.strftime("%Y-%m-%d_%H-%M-%S")
        # A pool of its own: a demo must show the same whatever was done before, and run beside another graph.
        store = ("context_pool.store", json.dumps(str((self._folder / "contexts").resolve())))
        self._options = replace(options, settings=(*options.settings, store))
        self._film = writable_file("--out", self._folder / "demo.mp4")
        self._page, self._json = self._folder / "demo.html", self._folder / "demo.json"

    def run(self, console: Console, interrupts: Interrupts) -> Shown:
        """Run it; raises RobotError when the graph or a task cannot be had, KeyboardInterrupt on Ctrl-C before it."""
        begun = time.monotonic()
        with Graph(self._options, console.print, interrupts.check) as graph:
            started = time.monotonic() - begun
            client = GraphClient(graph.session, graph.namespace)
            self._hear(client)
            console.print("\nDirect inference: one slice after the other until the policy rests.")
            direct = self._run(console, client, self._direct)
            interrupts.check()
            console.print("\nThe same scene with AMS: checked, recovered, replayed. Something will push the arm.")
            before = self._contexts(client)
            ams = self._run(console, client, self._ams, push=True)
        console.print("\nMaking film and page.")
        side_by_side(self._film, (direct.panel(), ams.panel()))
        record = DemoRecord(direct.run, ams.run, before, self._film.read_bytes(), self._told_settings(started))
        self._page.write_text(demo_page(record), encoding="utf-8")
        self._json.write_text(record.to_json(), encoding="utf-8")
        self._point_latest()
        return Shown(record, self._film, self._page, self._json, self._latest)

    def _hear(self, client: GraphClient) -> None:
        """Long before a run begins, so that it is discovered by then; the audience is that of the run then going on."""

        def happened(event: TaskEvent) -> None:
            self._audience.happened(event)

        def excepted(exception: ActionException) -> None:
            self._audience.excepted(exception)

        client.hear_events(happened)
        client.hear_exceptions(excepted)

    def _run(self, console: Console, client: GraphClient, settings: TaskSettings, *, push: bool = False) -> _Filmed:
        """One of the two."""
        film, log = self._folder / f"{settings.mode}.mp4", RunLog()
        with ProgressView(console, settings.budget, settings.jobs) as view:
            fault = Push(client.session, client.namespace) if push else None
            self._audience = Audience((view, log) if fault is None else (view, log, fault))
            task = TaskRun(client, settings, (self._audience,))
            report = task.run(film)
            run = log.record(report, fault.injection() if fault is not None else None)
            self._audience.leave()
        console.print(report.sentence(), markup=False)
        begin = 0.0
        if task.filming_since is not None and log.began is not None:
            begin = max(log.began - task.filming_since, 0.0)
        return _Filmed(run, film, begin)

    def _contexts(self, client: GraphClient) -> int | None:
        """How many contexts the pool holds; None when no pool answers."""
        service = f"{client.namespace}/context_pool/get_stats"
        if not client.session.offered(GetPoolStats, service, DISCOVERY_SECONDS):
            return None
        mend = "is the context pool active? `ams doctor` tells"
        return int(client.session.call(GetPoolStats, service, GetPoolStats.Request(), 10.0, mend).stats.contexts)

    def _told_settings(self, started: float) -> Mapping[str, str]:
        settings = self._ams
        return {
            "Command": "ams demo",
            "When": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
            "Scene": f"{settings.task}, {settings.objects} objects, seed {settings.seed}, the same in both runs",
            "Jobs AMS was asked for": str(settings.jobs),
            "Step budget": f"{settings.budget} for each run",
            "Policy": self._options.policy or "as configured",
            "ROS domain": os.environ.get("ROS_DOMAIN_ID") or "0",
            "Graph started in": f"{started:.1f} s",
            "Machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "Python": platform.python_version(),
        }

    def _point_latest(self) -> None:
        fresh = self._latest.with_name(f".latest.{os.getpid()}")
        fresh.symlink_to(self._folder.name, target_is_directory=True)
        fresh.replace(self._latest)
