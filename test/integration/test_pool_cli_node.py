"""`ams pool` against a running context pool: the command line, services, a store on disk (C1, C3, C6)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from disk_fixtures import new_context
from pool_client import PoolClient
from ros_probe import NodeProcess

from ams_ros.cli import pool_watch
from ams_ros.cli.graph_client import GraphClient, TaskGoal
from ams_ros.cli.pool_watch import PoolWatch
from ams_ros.cli.ros_session import RosSession
from ams_ros.context.records import VectorKind
from ams_ros.types import Guidance, GuidanceVariant

pytestmark = pytest.mark.integration

MIB = 2**20


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("pool") / "store"


@pytest.fixture(scope="module")
def node(start_shared_node, probe, store: Path) -> NodeProcess:
    started = start_shared_node("context_pool", {"store": str(store), "host_bytes": 4 * MIB})
    probe.bring_up(started.name)
    return started


@pytest.fixture(scope="module")
def filled(node: NodeProcess, probe) -> str:
    """Name of a pool with two contexts of episode `morning` and one of `evening`."""
    client = PoolClient(probe, node.name)
    client.keep(
        new_context(name, episode=episode, index=index)
        for name, episode, index in (("abc-0", "morning", 0), ("abc-1", "morning", 1), ("def-0", "evening", 0))
    )
    client.close()
    return node.name


def ams(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ams_ros.cli.main", "pool", *map(str, arguments)]
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd, env=environment)


def told(*arguments: str | Path, cwd: Path | None = None) -> Any:
    done = ams(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_a_node_the_error_names_both_ways_to_a_pool(domain: int) -> None:
    done = ams("ls", "--node", "/nowhere/context_pool")
    assert (done.returncode, done.stdout) == (1, "")
    for word in ("/nowhere/context_pool", f"domain {domain}", "ams up", "--node", "--store FOLDER"):
        assert word in done.stderr


def test_a_running_pool_lists_shows_marks_pins_and_counts_its_contexts(filled: str, store: Path) -> None:
    assert {c["context_id"] for c in told("ls")["contexts"]} == {"abc-0", "abc-1", "def-0"}
    (shown,) = told("show", "def")["contexts"]
    assert (shown["context_id"], shown["episode"]) == ("def-0", "evening")
    assert {vector["kind"] for vector in shown["vectors"]} <= {kind.value for kind in VectorKind}
    assert shown["vectors"]
    assert told("mark", "morning", "succeeded") == {"contexts": 2, "outcome": "succeeded"}
    assert told("pin", "def-0") == {"contexts": 1, "pinned": True}
    figures = told("stats")
    assert [figures[name] for name in ("contexts", "succeeded", "failed", "pinned", "puts")] == [3, 2, 0, 1, 3]
    # What succeeded was on disk before the answer came, and can be read there beside the node.
    assert {c["context_id"] for c in told("ls", "--store", store, "--outcome", "succeeded")["contexts"]} == {
        "abc-0",
        "abc-1",
    }
    assert told("unpin", "def-0")["pinned"] is False


def test_an_export_of_a_running_pool_lands_where_the_person_stands_and_comes_back(filled: str, tmp_path: Path) -> None:
    exported = told("export", "some.contexts", "morning", cwd=tmp_path)
    assert (exported["file"], exported["contexts"]) == (str(tmp_path / "some.contexts"), 2)
    assert (tmp_path / "some.contexts").stat().st_size == exported["bytes"]
    assert told("evict", "morning")["contexts"] == 2
    assert [c["context_id"] for c in told("ls")["contexts"]] == ["def-0"]
    assert told("import", "some.contexts", cwd=tmp_path)["contexts"] == 2
    assert told("ls", "morning")["total"] == 2
    assert told("verify")["damaged"] == 0


def test_a_pool_says_why_it_refuses(filled: str) -> None:
    assert told("pin", "def-0")["contexts"] == 1
    done = ams("evict", "def-0")
    assert done.returncode == 1
    assert "pinned" in done.stderr
    assert told("unpin", "def-0")["contexts"] == 1


def test_a_store_of_a_running_pool_is_not_written_beside_it(filled: str, store: Path) -> None:
    done = ams("mark", "def-0", "failed", "--store", store)
    assert done.returncode == 1
    assert "pid" in done.stderr


def test_what_the_pool_did_over_a_task_counts_from_its_begin(filled: str, probe) -> None:
    with RosSession() as session:
        watch = PoolWatch(GraphClient(session, "/ams"))
        client = PoolClient(probe, filled)
        client.keep([new_context("late-0", episode="night"), new_context("late-1", episode="night")])
        client.close()
        used = watch.use(inferences=2)
    assert used is not None
    assert (used.puts, used.refused, used.contexts) == (2, 0, told("ls")["total"])
    assert told("evict", "night")["contexts"] == 2


def test_where_no_pool_answers_a_task_is_watched_without_one(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody is late to be discovered here, as nobody is there.
    monkeypatch.setattr(pool_watch, "DISCOVERY_SECONDS", 0.2)
    with RosSession() as session:
        assert PoolWatch(GraphClient(session, "/nowhere")).use(inferences=3) is None


def test_guidance_travels_in_the_goal_of_a_task() -> None:
    goal = TaskGoal("do it", "context", 10, 3, Guidance("task-1", 0.7, GuidanceVariant.RENOISED), 2).message()
    assert (goal.guidance.reference, goal.guidance.start_time, goal.guidance.variant) == ("task-1", 0.7, "renoised")
    assert (goal.guided_slices, goal.mode, goal.step_budget, goal.seed) == (2, "context", 10, 3)
    assert TaskGoal("do it", "direct", 10, 3).message().guidance.reference == ""
