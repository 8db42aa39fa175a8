"""What `ams doctor` finds out about ROS: interfaces, reachability between processes, the nodes of a running graph."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from lifecycle_msgs.srv import GetState
from std_msgs.msg import String

from ams_ros.cli.dds_probe import QOS
from ams_ros.cli.doctor_machine import SET_UP
from ams_ros.cli.finding import Finding, bad, good, note
from ams_ros.cli.lifecycle import state_of
from ams_ros.cli.ros_session import RosSession
from ams_ros.errors import AmsError
from ams_ros.nodes.graph import load_graph
from ams_ros.resources import share_directory

TRAJECTORY_HASH = "RIHS01_738ebcb7a2d7cfa42f9f1001cc99ce3a4383d1cfe508015d9be8485e4b1c66f6"
"""Of control_msgs/action/FollowJointTrajectory from 4.8 to 6.2, as real controllers of ROS 2 Jazzy use it."""
EXCHANGE_SECONDS = 10.0


def interfaces() -> Iterator[Finding]:
    """Whether the interfaces are there, are those of this source, and fit real controllers."""
    yield _trajectory_hash()
    try:
        # Here and not above: whether it can be imported is the question.
        generated = importlib.import_module("ams_ros.action")
        importlib.import_module("ams_ros.msg")
        importlib.import_module("ams_ros.srv")
    except ImportError as error:
        yield bad("interfaces of ams_ros", str(error), SET_UP)
        return
    installed = _share(generated, "ams_ros")
    stale = _stale(share_directory() / "msg", installed)
    if stale:
        yield bad(
            "interfaces of ams_ros", f"other than their source: {', '.join(stale)}", "build them again: ./run setup"
        )
    else:
        yield good("interfaces of ams_ros", f"installed in {installed}")


def _trajectory_hash() -> Finding:
    subject = "FollowJointTrajectory"
    try:
        share = _share(importlib.import_module("control_msgs.action"), "control_msgs")
        described = json.loads((share / "action" / "FollowJointTrajectory.json").read_text(encoding="utf-8"))
        hashes = {entry["type_name"]: entry["hash_string"] for entry in described["type_hashes"]}
        found = hashes["control_msgs/action/FollowJointTrajectory"]
    except ImportError:
        return bad(subject, "control_msgs is not installed", f"{SET_UP}, or apt-get install ros-jazzy-control-msgs")
    except (OSError, KeyError, ValueError) as error:
        return bad(subject, f"its description cannot be read: {error}", SET_UP)
    if found == TRAJECTORY_HASH:
        return good(subject, f"same wire type as real controllers ({found[:20]}...)")
    return note(subject, f"type hash {found} is not that of Jazzy", "controller and AMS must use the same control_msgs")


def _share(module: ModuleType, package: str) -> Path:
    """The share folder of the installation a generated module belongs to; found without any environment variable."""
    places = [parent / "share" / package for parent in Path(str(module.__file__)).parents]
    return next((place for place in places if place.is_dir()), places[-1])


def _stale(source: Path, installed: Path) -> list[str]:
    """Names of the definitions whose installed copy differs from the source; none where there is no source."""
    definitions = [*source.glob("*.msg"), *source.glob("srv/*.srv"), *source.glob("action/*.action")]
    copies = {path: installed / path.suffix[1:] / path.name for path in definitions}
    return [path.name for path, copy in copies.items() if not copy.is_file() or copy.read_bytes() != path.read_bytes()]


def reachability(session: RosSession) -> Iterator[Finding]:
    """Whether two processes of this machine can exchange a message."""
    topic, word = f"/ams_doctor_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    heard: list[str] = []
    subscription = session.node.create_subscription(String, topic, lambda message: heard.append(message.data), QOS)
    begun = time.monotonic()
    probe = subprocess.Popen(
        [sys.executable, "-m", "ams_ros.cli.dds_probe", topic, word],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        session.until(lambda: word in heard or probe.poll() is not None, EXCHANGE_SECONDS)
    finally:
        probe.terminate()
        said = probe.communicate()[1].strip().splitlines()
        session.node.destroy_subscription(subscription)
    subject = f"DDS in domain {os.environ.get('ROS_DOMAIN_ID') or '0'}"
    if word in heard:
        yield good(subject, f"two processes exchanged a message in {time.monotonic() - begun:.1f} s")
    else:
        yield bad(
            subject,
            said[-1] if said else f"no message between two processes within {EXCHANGE_SECONDS:g} s",
            "allow multicast on the loopback or set ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST; look at firewall, "
            "RMW_IMPLEMENTATION and FASTRTPS_DEFAULT_PROFILES_FILE",
        )


def nodes(session: RosSession) -> Iterator[Finding]:
    """State of every node of the list."""
    listed = [f"{node.namespace}/{node.name}" for node in load_graph()]
    session.until(lambda: all(_offers_lifecycle(session, name, 0.0) for name in listed), 1.5)
    there = [name for name in listed if _offers_lifecycle(session, name, 0.0)]
    if not there:
        yield note("graph", "no node is running", "start it when you need it: ams up")
        return
    for name in listed:
        if name not in there:
            yield bad(f"node {name}", "not there although others are", "stop the graph and start it again: ams up")
            continue
        try:
            state = state_of(session, name)
        except AmsError as error:
            yield bad(f"node {name}", str(error), "stop the graph and start it again: ams up")
            continue
        if state == "active":
            yield good(f"node {name}", state)
        else:
            yield bad(f"node {name}", state, f"see its log; then: ros2 lifecycle set {name} configure, activate")


def _offers_lifecycle(session: RosSession, name: str, timeout: float) -> bool:
    return session.offered(GetState, f"{name}/get_state", timeout)
