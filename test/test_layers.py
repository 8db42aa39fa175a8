"""The floors of architecture.md, checked on every import statement of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "ams_ros"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

ROS = {"rclpy", "rcl_interfaces", "launch", "launch_ros", "ament_index_python"}
INTERFACES = {"ams_ros.msg", "ams_ros.srv", "ams_ros.action"}
GROUND = {"types", "errors", "resources", "__init__"}
CORE = {"context", "exception", "policy", "recovery", "replay", "robot", "supervision"}
BESIDE = {"simulation", "benchmark", "training"}
ROS_FLOOR = {"nodes", "cli"}

ALLOWED = {
    # room: rooms of this package it may import, besides the ground and itself
    "policy": set(),
    "context": {"policy"},
    "robot": set(),
    "exception": {"robot"},
    "recovery": {"robot", "exception"},
    "replay": {"robot", "exception", "recovery"},
    "supervision": {"robot", "policy", "exception", "recovery", "replay"},
    "simulation": {"robot", "exception"},
    "training": {"policy", "robot", "simulation"},
    "benchmark": {*CORE, "simulation"},
    "nodes": {*CORE, "simulation"},
    "cli": {*CORE, *BESIDE, "nodes"},
}


def imports(path: Path) -> set[str]:
    """Every module a file imports, at any depth of nesting, in full dotted names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; this package imports by full name"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    """The folder right under ams_ros a file lies in, or the name of a file on the ground."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def is_ros(name: str) -> bool:
    top = name.partition(".")[0]
    return top in ROS or top.endswith(("_msgs", "_interfaces")) or ".".join(name.split(".")[:2]) in INTERFACES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_floor_allows(path):
    here = room(path)
    for name in imports(path):
        if here not in ROS_FLOOR:
            assert not is_ros(name), f"{here} may not import {name}: ROS lives in nodes and cli"
        if here not in {"policy", "training"}:
            assert name.partition(".")[0] not in {"torch", "transformers", "safetensors"}, f"{here} imports {name}"
        if here not in {"robot", "recovery"}:
            assert name.partition(".")[0] not in {"pinocchio", "coal", "ompl", "ruckig"}, f"{here} imports {name}"
        if here != "simulation":
            assert name.partition(".")[0] != "mujoco", f"{here} imports {name}: MuJoCo lives in simulation"
        parts = name.split(".")
        if parts[0] == "ams_ros" and len(parts) > 1 and not is_ros(name):
            allowed = {here} | GROUND | ALLOWED.get(here, set())
            assert parts[1] in allowed, f"{here} may not import {name}"


def test_every_room_is_known_to_this_test():
    rooms = {room(path) for path in MODULES}
    assert rooms <= GROUND | set(ALLOWED)
    assert rooms >= CORE | BESIDE | ROS_FLOOR


def test_the_check_sees_an_import_inside_a_function(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("def f():\n    from sensor_msgs.msg import JointState\n    import rclpy\n")
    assert {name for name in imports(path) if is_ros(name)} == {
        "sensor_msgs.msg",
        "sensor_msgs.msg.JointState",
        "rclpy",
    }


@pytest.mark.parametrize(
    "modules",
    ["supervision.task_loop, ams_ros.robot.stop_request", "exception.detector", "exception.guard"],
)
def test_importing_the_core_loads_neither_ros_nor_what_is_slow_to_load(modules):
    slow = ("rclpy", "torch", "mujoco", "sensor_msgs", "pinocchio", "coal", "ompl")
    code = f"import ams_ros.{modules}, sys; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]"
