"""The nodes of a graph as processes: started, watched, and stopped without a trace. Knows no ROS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from ams_ros.cli.shared_memory import remove_orphans, segments_of
from ams_ros.context.host.shared_memory import remove_leftovers
from ams_ros.errors import RobotError

TAIL_LINES = 15
"""Lines of a dead node's log that its report shows."""


@dataclass(frozen=True, slots=True)
class DeadNode:
    """A node that ended without being asked to. ending: its exit code or signal in words; tail: last log lines."""

    name: str
    ending: str
    log: Path
    tail: tuple[str, ...]

    def error(self) -> RobotError:
        """The same as an error of one text."""
        last = self.tail[-1].strip() if self.tail else "nothing"
        return RobotError(f"node {self.name} {self.ending}; its last words: {last} (all of them: {self.log})")


class GraphProcesses:
    """Child processes in the order they were started; must be used from one thread that outlives them.

    (The kernel ties a child to the thread that started it, see start_node.py.)
    """

    def __init__(self, log_folder: Path) -> None:
        """Write each node's output to `log_folder`/NAME.log."""
        self._log_folder = log_folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._segments: frozenset[str] = frozenset()

    def start(self, name: str, executable: str, arguments: tuple[str, ...]) -> None:
        """Start `executable` of ams_ros.nodes as a process of its own."""
        self._log_folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-u", "-m", "ams_ros.cli.start_node", str(os.getpid()), executable, *arguments]
        with self.log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal goes to the starter alone, which then stops the nodes in order.
                start_new_session=True,
                env={**os.environ, "ROS_LOG_DIR": str(self._log_folder), "PYTHONFAULTHANDLER": "1"},
            )

    def log(self, name: str) -> Path:
        """The file a node's output goes to."""
        return self._log_folder / f"{name}.log"

    @property
    def identifiers(self) -> dict[str, int]:
        """Process id by node name."""
        return {name: process.pid for name, process in self._processes.items()}

    def alive(self, name: str) -> bool:
        """Whether the node's process runs."""
        return self._processes[name].poll() is None

    def first_dead(self) -> DeadNode | None:
        """The first node, in order of start, whose process has ended; also notes the shared memory of the others."""
        for name, process in self._processes.items():
            self._segments |= segments_of(process.pid)
            if process.poll() is not None:
                return DeadNode(name, _ending(process.returncode), self.log(name), self._tail(name))
        return None

    def stop(self, grace: float = 10.0) -> tuple[str, ...]:
        """End all processes, the last started first: terminate them, and kill what is left after `grace` seconds.

        Returns the names of the nodes that had to be killed.
        """
        backwards = list(reversed(self._processes.items()))
        for _, process in backwards:
            self._segments |= segments_of(process.pid)
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + grace
        killed = []
        for name, process in backwards:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed.append(name)
        self._processes.clear()
        remove_orphans(self._segments)
        # A pool or a client of one that was killed leaves hundreds of megabytes; what anybody still owns stays.
        remove_leftovers()
        return tuple(killed)

    def _tail(self, name: str) -> tuple[str, ...]:
        with self.log(name).open(encoding="utf-8", errors="replace") as log:
            return tuple(line.rstrip() for line in deque(log, TAIL_LINES))


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
