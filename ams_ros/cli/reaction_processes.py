"""The processes of `ams bench reaction`: robot, monitor, the control without rules, and inference as a load."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lifecycle_msgs.srv import ChangeState

from ams_ros.cli.graph_processes import GraphProcesses
from ams_ros.cli.lifecycle import change_state
from ams_ros.cli.ros_session import RosSession
from ams_ros.errors import RobotError
from ams_ros.nodes.reaction_bench.inference_load import GO_ON, PAUSE, READY
from ams_ros.resources import share_directory

NAMESPACE = "/ams"
ROBOT, MONITOR, BARE, LOAD = "simulated_robot", "exception_monitor", "bare_reaction", "inference_load"
MEND = "see whether other processes keep this machine busy, or another graph runs in this ROS domain"
START_SECONDS = 60.0


class ReactionProcesses:
    """Robot, monitor and control for one rate."""

    def __init__(self, session: RosSession, folder: Path) -> None:
        """folder: of the logs."""
        self._session = session
        self.processes = GraphProcesses(folder)

    def start(self, rate: float) -> None:
        """Bring robot, monitor and control up with joint states and wrenches at `rate` Hz."""
        # One spoiled sample is to be one offence: how many it takes is a matter of thresholds, not of time.
        self._node(ROBOT, "reaction_bench.robot", timestep=0.001, joint_state_rate=rate)
        self._node(MONITOR, "reaction_bench.monitor", **{"rules.wrench_jump.samples": 1})
        self.processes.start(BARE, "reaction_bench.bare", ("--ros-args", "-r", f"__ns:={NAMESPACE}"))
        for node in (ROBOT, MONITOR):
            name = f"{NAMESPACE}/{node}"
            self._need(self._session.offered(ChangeState, f"{name}/change_state", START_SECONDS), f"{name} appears")
            for transition in ("configure", "activate"):
                done = change_state(self._session, name, transition, START_SECONDS)
                self._need(done, f"{name} takes the transition {transition} ({self.processes.log(node)})")

    def _node(self, name: str, executable: str, **parameters: float) -> None:
        arguments = ["--ros-args", "-r", f"__ns:={NAMESPACE}", "-r", f"__node:={name}"]
        arguments += ["--params-file", str(share_directory() / "config" / "ams.yaml"), "--log-level", "error"]
        for key, value in parameters.items():
            arguments += ["-p", f"{key}:={value}"]
        self.processes.start(name, executable, tuple(arguments))

    def watch(self) -> None:
        """Raise RobotError when one of them has died."""
        dead = self.processes.first_dead()
        if dead is not None:
            raise dead.error()

    def stop(self) -> None:
        """End them all."""
        self.processes.stop()

    def _need(self, done: bool, what: str) -> None:
        if not done:
            raise RobotError(f"{what}: not within {START_SECONDS:g} s; {MEND}")


class InferenceLoad:
    """Inference in a process of its own, slice after slice; it pauses while it is not wanted."""

    def __init__(self, folder: Path) -> None:
        """Start it; it loads its policy meanwhile. folder: of its log."""
        self._processes = GraphProcesses(folder)
        self._processes.start(LOAD, "reaction_bench.inference_load", ())

    def wait(self, session: RosSession) -> None:
        """Return when it infers; raises RobotError when it does not begin, and when it has died."""
        log = self._processes.log(LOAD)
        if not session.until(lambda: READY in log.read_text() or self._died(), START_SECONDS):
            raise RobotError(f"inference did not begin within {START_SECONDS:g} s: {MEND}")

    @contextmanager
    def off(self) -> Iterator[None]:
        """Leave the processor to others meanwhile."""
        self._send(PAUSE)
        try:
            yield
        finally:
            self._send(GO_ON)

    def stop(self) -> None:
        """End it."""
        self._processes.stop()

    def _send(self, number: signal.Signals) -> None:
        if not self._died():
            os.kill(self._processes.identifiers[LOAD], number)

    def _died(self) -> bool:
        dead = self._processes.first_dead()
        if dead is not None:
            raise dead.error()
        return False


@contextmanager
def inference_load(wanted: bool) -> Iterator[InferenceLoad | None]:
    """Begun inside and gone afterwards; None when it is not wanted."""
    with tempfile.TemporaryDirectory(prefix="ams_load_") as folder:
        load = InferenceLoad(Path(folder)) if wanted else None
        try:
            yield load
        finally:
            if load is not None:
                load.stop()


@contextmanager
def reaction_processes(session: RosSession, rate: float) -> Iterator[ReactionProcesses]:
    """Up and active inside, gone afterwards. Raises RobotError when they cannot be had."""
    with tempfile.TemporaryDirectory(prefix="ams_reaction_") as folder:
        running = ReactionProcesses(session, Path(folder))
        try:
            running.start(rate)
            yield running
        finally:
            running.stop()
