"""A task shown to a person: graph up, task with film and joint trace, page, graph down."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rclpy.qos import qos_profile_sensor_data
from rich.console import Console
from sensor_msgs.msg import JointState

from ams_ros.cli.demo_page import demo_page
from ams_ros.cli.demo_record import DemoRecord, JointTrace, PhaseLog
from ams_ros.cli.graph import Graph, GraphOptions
from ams_ros.cli.graph_client import GraphClient
from ams_ros.cli.interrupts import Interrupts
from ams_ros.cli.output import writable_file
from ams_ros.cli.progress_view import ProgressView
from ams_ros.cli.ros_session import RosSession
from ams_ros.cli.task_report import TaskReport, TaskSettings
from ams_ros.cli.task_run import TaskRun

JOINT_TOPIC = "/joint_states"
JOINT_PERIOD = 0.05
"""Seconds between two samples that are kept of the joints."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a demonstration left: the report, and where the files are."""

    report: TaskReport
    video: Path
    page: Path
    json: Path
    latest: Path


class Demonstration:
    """One run of `settings` on a graph of its own, with everything under a folder named by the time."""

    def __init__(self, base: Path, options: GraphOptions, settings: TaskSettings) -> None:
        """Raises ConfigurationError when nothing can be written under `base`."""
        self._settings = settings
        self._latest = base / "latest"
        folder = base / time.strftime("%Y-%m-%d_%H-%M-%S")
        # A pool of its own: a demo must show the same whatever was done before, and run beside another graph.
        store = ("context_pool.store", json.dumps(str(folder.resolve() / "contexts")))
        self._options = replace(options, settings=(*options.settings, store))
        self._video = writable_file("--out", folder / "demo.mp4")
        self._page, self._json = folder / "demo.html", folder / "demo.json"

    def run(self, console: Console, interrupts: Interrupts) -> Shown:
        """Run it; raises RobotError when the graph or the task cannot be had, KeyboardInterrupt on Ctrl-C before it."""
        phases = PhaseLog()
        begun = time.monotonic()
        with Graph(self._options, console.print, interrupts.check) as graph:
            started = time.monotonic() - begun
            client = GraphClient(graph.session, graph.namespace)
            joints = JointLog(graph.session)
            with ProgressView(console, self._settings.budget) as view:
                task = TaskRun(client, self._settings, (view, phases))
                report = task.run(self._video)
        begin = phases.begin or begun
        record = DemoRecord(
            report=report,
            spans=tuple(phases.spans),
            joints=joints.trace(begin, report.seconds),
            video=self._video.read_bytes(),
            video_begin=begin - task.filming_since if task.filming_since is not None else 0.0,
            settings=self._told_settings(report, started),
        )
        self._page.write_text(demo_page(record), encoding="utf-8")
        self._json.write_text(report.to_json(), encoding="utf-8")
        self._point_latest()
        return Shown(report, self._video, self._page, self._json, self._latest)

    def _told_settings(self, report: TaskReport, started: float) -> Mapping[str, str]:
        settings = self._settings
        return {
            "Command": "ams demo",
            "When": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
            "Task": f"{settings.task}, {settings.objects} object(s), seed {settings.seed}",
            "Instruction": report.instruction,
            "Mode": report.mode,
            "Step budget": str(settings.budget),
            "Policy": self._options.policy or "as configured",
            "ROS domain": os.environ.get("ROS_DOMAIN_ID") or "0",
            "Graph started in": f"{started:.1f} s",
            "Machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "Python": platform.python_version(),
        }

    def _point_latest(self) -> None:
        fresh = self._latest.with_name(f".latest.{os.getpid()}")
        fresh.symlink_to(self._page.parent.name, target_is_directory=True)
        fresh.replace(self._latest)


class JointLog:
    """Keeps the joint positions of a task, on the wall clock."""

    def __init__(self, session: RosSession) -> None:
        """Listen from now on."""
        self._names: tuple[str, ...] = ()
        self._samples: list[tuple[float, tuple[float, ...]]] = []
        session.node.create_subscription(JointState, JOINT_TOPIC, self._received, qos_profile_sensor_data)

    def trace(self, begin: float, seconds: float) -> JointTrace:
        """What was kept from `begin` (of the steady clock) on, for `seconds`."""
        kept = [(at - begin, position) for at, position in self._samples if 0.0 <= at - begin <= seconds]
        return JointTrace(self._names, tuple(at for at, _ in kept), tuple(position for _, position in kept))

    def _received(self, message: JointState) -> None:
        now = time.monotonic()
        if self._samples and now - self._samples[-1][0] < JOINT_PERIOD:
            return
        self._names = tuple(message.name)
        self._samples.append((now, tuple(message.position)))
