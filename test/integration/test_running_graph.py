"""The graph as a person starts it: real processes, real DDS, and nothing left behind however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from ams_ros.msg import MotionPlan, TaskEvent
from random_policy import write_random_checkpoint
from ros_probe import Probe

from ams_ros.cli.graph_claim import GraphClaim
from ams_ros.cli.graph_processes import GraphProcesses
from ams_ros.cli.shared_memory import FOLDER, remove_orphans, segments_of
from ams_ros.errors import RobotError
from ams_ros.nodes.graph import load_graph

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
NAMES = [node.name for node in load_graph()]
START = 120.0
"""Seconds a graph may take to start on a machine that is busy with other things."""


def wait_for(condition: Callable[[], bool], what: str, timeout: float = START) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"within {timeout:g} s this did not happen: {what}"
        time.sleep(0.02)


def node_processes() -> dict[str, psutil.Process]:
    """Processes of nodes that were started by `ams` in this test's ROS domain, by executable."""
    found = {}
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if "ams_ros.cli.start_node" not in command or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get("ROS_DOMAIN_ID") == os.environ["ROS_DOMAIN_ID"]:
                found[command[command.index("ams_ros.cli.start_node") + 2]] = process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def owned_segments(identifier: int) -> frozenset[str]:
    """Fast DDS segments and ports that a process owns, by the lock files it holds open."""
    files = []
    for entry in Path(f"/proc/{identifier}/fd").iterdir():
        # It opens and closes others meanwhile.
        with suppress(FileNotFoundError):
            files.append(os.path.realpath(entry))
    return frozenset(Path(name).name.removesuffix("_el") for name in files if re.search(r"fastrtps_\w+_el$", name))


def probe_ports() -> frozenset[str]:
    """Ports that the probe in this process has opened to talk to nodes; nobody can remove them before it lets go."""
    return frozenset(name for name in segments_of(os.getpid()) if name.startswith("fastrtps_port"))


class Starter:
    """`ams` in a process of its own, its output in a file."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._output = folder / "ams.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "ams_ros.cli.main", *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
            )
        self.segments: frozenset[str] = frozenset()

    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait_until_it_says(self, text: str) -> None:
        wait_for(lambda: text in self.output() or self.process.poll() is not None, f"ams says {text!r}")
        assert text in self.output(), self.output()

    def note_shared_memory(self) -> None:
        for process in node_processes().values():
            self.segments |= owned_segments(process.pid)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.note_shared_memory()
        self.process.send_signal(number)
        return self.process.wait(60.0)


@pytest.fixture
def ams(domain: int, tmp_path: Path) -> Iterator[Callable[..., Starter]]:
    """Start `ams` with arguments; after the test neither a process nor shared memory of its nodes may be left."""
    started: list[Starter] = []

    def start(*arguments: str) -> Starter:
        folder = tmp_path / f"ams{len(started)}"
        folder.mkdir()
        started.append(Starter(folder, *arguments))
        return started[-1]

    yield start
    leaked = [starter.process for starter in started if starter.process.poll() is None]
    leaked += node_processes().values()
    for process in leaked:
        with suppress(psutil.NoSuchProcess):
            process.kill()
            process.wait(10.0)
    outputs = "\n".join(starter.output() for starter in started)
    assert not leaked, outputs
    segments = frozenset[str]().union(*(starter.segments for starter in started))
    # What other test sessions' processes still map is theirs to remove.
    remove_orphans(segments & probe_ports())
    assert not remove_orphans(segments - probe_ports()), outputs


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Arguments that choose a policy with random weights: what it does makes no sense, but it does it for real."""
    return "--policy", str(write_random_checkpoint(tmp_path_factory.mktemp("policy")))


PATIENT = (
    *("--set", "inference.observation_wait=20.0", "--set", "inference.max_age=10.0"),
    *("--set", "replay_supervisor.max_age=10.0", "--set", "exception_monitor.rules.silence.shortest=2.0"),
)
"""For tests that run a task: on a machine busy with other tests, pictures come late."""


def test_up_brings_every_node_to_active_and_down_again_and_run_works_meanwhile(
    ams: Callable[..., Starter], policy: tuple[str, str], tmp_path: Path
) -> None:
    up = ams("up", *policy, *PATIENT)
    up.wait_until_it_says("The graph is up.")
    for name in NAMES:
        assert re.search(rf"^{name} +active$", up.output(), re.MULTILINE)
    assert sorted(node_processes()) == sorted(NAMES)

    second = ams("up", *policy)
    assert second.process.wait(30.0) == 1
    assert "a graph already runs in ROS domain" in second.output()
    assert str(up.process.pid) in second.output()

    report, film = tmp_path / "report.json", tmp_path / "film.mp4"
    arguments = ("put the cubes in the bowl", "--seed", "5", "--budget", "40", "--json", str(report))
    run = ams("run", *arguments, "--video", str(film))
    code = run.process.wait(START)
    told = json.loads(report.read_text())
    assert told["outcome"] == "budget_spent", run.output()
    assert (told["task"], told["seed"], told["objects"], told["steps"]) == ("cubes", 5, 1, 40)
    assert told["inferences"] == 5
    assert code == (0 if told["success"] else 1)
    assert film.read_bytes()[4:8] == b"ftyp"
    assert "step" in run.output()

    unknown_task = ams("run", "do the dishes", "--task", "dishes")
    assert unknown_task.process.wait(60.0) == 1
    assert "dishes" in unknown_task.output()
    assert "cubes" in unknown_task.output()

    too_many = ams("run", "put the cubes in the bowl", "--objects", "100")
    assert too_many.process.wait(60.0) == 1
    assert "100" in too_many.output()

    canceled = ams("run", "put the cubes in the bowl", "--json", str(report))
    canceled.wait_until_it_says("slice 1")
    canceled.process.send_signal(signal.SIGINT)
    assert canceled.process.wait(30.0) == 1
    assert json.loads(report.read_text())["outcome"] == "canceled"

    assert up.process.poll() is None, "the graph must survive all of this"
    assert up.end(signal.SIGTERM) == 0
    assert node_processes() == {}
    assert "The graph is down." in up.output()
    assert "killed" not in up.output()


def test_a_node_that_dies_is_named_with_its_end_and_last_words_and_everything_is_stopped(
    ams: Callable[..., Starter], policy: tuple[str, str]
) -> None:
    up = ams("up", *policy)
    up.wait_until_it_says("The graph is up.")
    up.note_shared_memory()
    pool = node_processes()["context_pool"]
    memory = {Path(each.path) for each in pool.memory_maps() if each.path.startswith("/dev/shm/ams_ros_")}
    assert memory
    pool.kill()
    assert up.process.wait(60.0) == 1
    assert not [path for path in memory if path.exists()]
    said = up.output()
    assert "context_pool was killed by SIGKILL" in said
    assert "last lines of" in said
    assert "The graph was stopped." in said
    assert "Traceback" not in said
    assert node_processes() == {}


def test_nodes_end_when_their_starter_is_killed_outright(ams: Callable[..., Starter], policy: tuple[str, str]) -> None:
    up = ams("up", *policy)
    up.wait_until_it_says("The graph is up.")
    up.end(signal.SIGKILL)
    # The killed starter had opened the nodes' ports, and nobody is left to count it out of them.
    up.segments = frozenset(name for name in up.segments if "port" not in name)
    wait_for(lambda: node_processes() == {}, "the nodes end", 20.0)


def test_ctrl_c_while_the_graph_starts_leaves_no_process(ams: Callable[..., Starter], policy: tuple[str, str]) -> None:
    up = ams("up", *policy)
    up.wait_until_it_says(f"{NAMES[0]}: started")
    assert up.end() == 0
    assert node_processes() == {}


def test_a_missing_checkpoint_is_told_and_the_graph_does_not_stay_half_up(ams: Callable[..., Starter]) -> None:
    up = ams("up", "--policy", "/no/such/checkpoint")
    assert up.process.wait(START) == 1
    assert "error: node inference: configure failed" in up.output()
    assert "/no/such/checkpoint" in up.output()
    assert node_processes() == {}


def test_a_parameter_that_no_node_has_is_refused_with_those_it_has(ams: Callable[..., Starter]) -> None:
    up = ams("up", "--set", "simulated_robot.sped=2.0")
    assert up.process.wait(START) == 2
    assert "simulated_robot.sped=2.0" in up.output()
    assert "joint_state_rate" in up.output()


def test_a_parameter_out_of_range_is_refused_by_the_node_that_has_it(ams: Callable[..., Starter]) -> None:
    up = ams("up", "--set", "simulated_robot.joint_state_rate=9000.0")
    assert up.process.wait(START) == 1
    assert "joint_state_rate" in up.output()
    assert "9000" in up.output()


def test_run_in_mode_ams_goes_on_after_the_first_job_guided_by_it_r1_r3_r4(
    ams: Callable[..., Starter], probe: Probe, tmp_path: Path
) -> None:
    events = probe.listen(TaskEvent, "/ams/replay_supervisor/event", 100)
    plans = probe.listen(MotionPlan, "/ams/replay_supervisor/plan", 1000)
    report, store = tmp_path / "report.json", tmp_path / "store"
    task = ("--mode", "ams", "--objects", "2", "--jobs", "2", "--seed", "2", "--budget", "900")
    # Never the policy's own way home, so that a planned one is sure to be seen.
    chosen = ("--set", f"context_pool.store={store}", "--set", "replay_supervisor.replay.homeward=0")
    run = ams("run", "--start", *task, "--json", str(report), *chosen, *PATIENT)
    code = run.process.wait(2 * START)
    told = json.loads(report.read_text())
    assert told["outcome"] == "finished", run.output()
    assert (len(told["job_steps"]), told["replays"] >= 1) == (2, True), run.output()
    assert (code, told["success"], told["placed"]) == (0, True, 2), run.output()
    assert "2 of 2 jobs seen done" in run.output()
    assert node_processes() == {}, "it brings its own graph and takes it down"

    kinds = [each.kind for each in events.all if each.kind != "slice"]
    first = kinds.index("job")
    assert kinds[first : first + 2] == ["job", "replay"]
    assert kinds[-1] == "ended"
    done = next(each for each in events.all if each.kind == "job")
    following = next(each for each in events.all if each.attempt == done.attempt + 1 and each.kind == "slice")
    assert following.episode == f"{told['episode']}.{done.attempt + 1}"
    assert following.reuse.guided_episode == done.episode, following.reuse
    assert "recovery" in {plan.purpose for plan in plans.all}, "the way back is announced to the monitor"

    assert told["pool"]["puts"] >= told["inferences"] - 2
    listing = ams("pool", "ls", done.episode, "--store", str(store), "--json")
    assert listing.process.wait(60.0) == 0
    contexts = json.loads(listing.output())["contexts"]
    assert {each["outcome"] for each in contexts} == {"succeeded"}


def test_two_claims_on_one_graph_exclude_each_other_and_end_with_their_holder(domain: int) -> None:
    with GraphClaim("/ams"):
        with pytest.raises(RobotError, match=f"process {os.getpid()}"):
            GraphClaim("/ams")
        with GraphClaim("/other"):
            pass
    with GraphClaim("/ams"):
        pass


def test_a_process_that_will_not_end_is_killed_and_named(domain: int, tmp_path: Path) -> None:
    processes = GraphProcesses(tmp_path)
    processes.start("replay_supervisor", "replay_supervisor", ("--ros-args", "-r", "__ns:=/stubborn"))
    identifier = processes.identifiers["replay_supervisor"]
    wait_for(lambda: bool(owned_segments(identifier)), "the node joins DDS")
    os.kill(identifier, signal.SIGSTOP)
    # Its own ones: it has opened those of the probe in this process too, which live on.
    segments = owned_segments(identifier)
    assert processes.stop(grace=0.5) == ("replay_supervisor",)
    assert not psutil.pid_exists(identifier)
    assert not [name for name in segments - probe_ports() if (FOLDER / name).exists()]
