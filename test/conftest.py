"""Fixtures of the integration tests, and pools for those of the core.

    def test_something(start_node, probe):
        robot = start_node("simulated_robot", {"rate": 100.0})  # a real process, ready when this returns
        probe.bring_up(robot.name)                              # configure and activate
        reply = probe.call(ResetScene, f"{robot.name}/reset", task="cubes", objects=1, seed=3)

`start_node(module, parameters, namespace)` runs `python -m ams_ros.nodes.<module>` in the session's own ROS domain and
ends it after the test with SIGINT; a node that does not obey is killed and fails the test. `parameters` may be a file.
`start_shared_node` is the same for one process that all tests of a module use. `probe` is a `ros_probe.Probe`:
services, transitions, parameters, topics, actions. `random_checkpoint` is a policy without sense, for tests of the
graph itself. `domain` alone is enough for a test that starts processes itself, such as the command line: the
environment of the test session then already holds the domain.

`pool` and `disk_pool` are context pools in this process, for tests that need no node. `shared_plant` is a
simulated arm.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ros_probe import NodeProcess, Probe

    from ams_ros.context.pool.pool import ContextPool
    from ams_ros.simulation.plant import Plant


@pytest.fixture(scope="session")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A ROS domain that no other test session of this machine uses, on this machine only."""
    folder = Path(tempfile.gettempdir()) / "ams_ros_test_domains"
    folder.mkdir(exist_ok=True)
    for number in range(1, 102):
        lock = (folder / str(number)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        os.environ["ROS_DOMAIN_ID"] = str(number)
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        os.environ["ROS_LOG_DIR"] = str(tmp_path_factory.mktemp("ros_log"))
        # Context pools that are not told where to keep their contexts keep them in the user's data folder.
        os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))
        yield number
        lock.close()
        return
    pytest.fail("all 101 ROS domains are taken by other test sessions")


@pytest.fixture(scope="session")
def random_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder with random weights of the trained size."""
    from random_policy import write_random_checkpoint  # noqa: PLC0415  torch takes seconds to import

    return write_random_checkpoint(tmp_path_factory.mktemp("checkpoint") / "random")


@pytest.fixture(scope="module")
def probe(domain: int) -> Iterator[Probe]:
    """A node of the test itself, spinning."""
    from ros_probe import Probe  # noqa: PLC0415  core tests run without ROS

    probe = Probe()
    yield probe
    probe.close()


@pytest.fixture
def start_node(probe: Probe, tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Start nodes; all of them end with the test."""
    yield from _starter(probe, tmp_path)


@pytest.fixture(scope="module")
def start_shared_node(probe: Probe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., NodeProcess]]:
    """Start nodes; all of them end with the module."""
    yield from _starter(probe, tmp_path_factory.mktemp("shared"))


def _starter(probe: Probe, base: Path) -> Iterator[Callable[..., NodeProcess]]:
    from ros_probe import NodeProcess  # noqa: PLC0415

    started: list[NodeProcess] = []

    def start(module: str, parameters: dict[str, Any] | Path | None = None, namespace: str = "/ams") -> NodeProcess:
        folder = base / f"node{len(started)}"
        folder.mkdir()
        node = NodeProcess(module, parameters or {}, namespace, folder)
        started.append(node)
        node.wait_ready(probe)
        return node

    yield start
    disobedient = []
    for node in reversed(started):
        try:
            node.stop()
        except AssertionError as error:
            disobedient.append(str(error))
    assert not disobedient, "\n".join(disobedient)


@pytest.fixture(scope="module")
def shared_plant() -> Iterator[Plant]:
    """A simulated WidowX for all tests of a module, each of which resets it to the scene it needs."""
    from ams_ros.robot.profile import load_profile  # noqa: PLC0415 - MuJoCo, and most tests need none of it
    from ams_ros.simulation.plant import Plant  # noqa: PLC0415

    plant = Plant(load_profile("widowx_250s"))
    yield plant
    plant.close()


@pytest.fixture
def pool() -> Iterator[ContextPool]:
    """A context pool without a disk, in this process, checked at its end."""
    yield from _checked_pool()


@pytest.fixture
def disk_pool(tmp_path: Path) -> Iterator[ContextPool]:
    """The same with a disk tier behind little memory."""
    yield from _checked_pool(tmp_path / "store", host_bytes=64 * 2**10, policy="lru")


def _checked_pool(path: Path | None = None, **changes: object) -> Iterator[ContextPool]:
    from pool_cases import options  # noqa: PLC0415 - most tests need none of it

    from ams_ros.context.pool.pool import ContextPool  # noqa: PLC0415

    opened = ContextPool(options(path, **changes))
    yield opened
    opened.check()
    opened.close()
