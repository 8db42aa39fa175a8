"""What colcon and pip install is complete, declared, and of the right wire types."""

import ast
import configparser
import importlib
import json
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
IN_CHECKOUT = pytest.mark.skipif(not (ROOT / "setup.cfg").is_file(), reason="needs the source tree")

# Upstream's, of control_msgs 4.6 to 6.0. From 6.3 on the feedback has more fields and another hash.
FOLLOW_JOINT_TRAJECTORY = "RIHS01_738ebcb7a2d7cfa42f9f1001cc99ce3a4383d1cfe508015d9be8485e4b1c66f6"

# Import name, where it is not the name of the distribution.
# coal is required by pin, which knows the versions it fits.
DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml", "pinocchio": "pin", "coal": "pin", "mcap_ros2": "mcap_ros2_support"}
# Names that begin like a ROS package: a distribution of ROS, never of PyPI.
ROS = re.compile(r"^(rclpy|launch|launch_ros|ament_index_python|\w+_(msgs|srvs|interfaces))$")


def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def entry_points() -> dict[str, str]:
    lines = setup_cfg()["options.entry_points"]["console_scripts"].strip().splitlines()
    return {name.strip(): target.strip() for name, target in (line.split("=") for line in lines)}


def imports_of(*folders: str) -> set[str]:
    """Top-level names of all absolute imports below these folders."""
    names: set[str] = set()
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.split(".")[0])
    own = {"ams_ros"} | {file.stem for file in (ROOT / "test").rglob("*.py")}
    return names - own - sys.stdlib_module_names - {"__future__"}


def installed(relative: str) -> Path:
    """A file of the installation that the message types are imported from; colcon gives each package its own prefix."""
    prefixes = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)), sys.prefix]
    for prefix in prefixes:
        if (Path(prefix) / relative).exists():
            return Path(prefix) / relative
    pytest.fail(f"{relative} is in none of {prefixes}")


def declared_dependencies(*tags: str) -> set[str]:
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    return {element.text for tag in tags for element in package.findall(tag) if element.text}


def required_distributions(*lists: str) -> set[str]:
    lines = [line for text in lists for line in text.strip().splitlines() if line[0] != "#"]
    return {re.match(r"[\w-]+", line)[0].lower().replace("-", "_") for line in lines}


def test_our_follow_joint_trajectory_has_the_wire_type_of_the_real_controllers():
    description = json.loads(installed("share/control_msgs/action/FollowJointTrajectory.json").read_text())
    hashes = {entry["type_name"]: entry["hash_string"] for entry in description["type_hashes"]}
    assert hashes["control_msgs/action/FollowJointTrajectory"] == FOLLOW_JOINT_TRAJECTORY


INTERFACES = sorted(
    str(file.relative_to(ROOT / "msg")) for kind in ("", "srv", "action") for file in (ROOT / "msg" / kind).glob("*.*")
)


@pytest.mark.parametrize("interface", INTERFACES)
def test_every_interface_of_the_source_tree_is_generated_and_shown_by_ros2_interface(interface):
    name, kind = Path(interface).stem, Path(interface).suffix[1:]
    assert hasattr(importlib.import_module(f"ams_ros.{kind}"), name)
    shown = f"{kind}/{name}.{kind}"
    assert installed(f"share/ams_ros/{shown}").read_text() == (ROOT / "msg" / interface).read_text()
    assert shown in installed("share/ament_index/resource_index/rosidl_interfaces/ams_ros").read_text().split()


@IN_CHECKOUT
@pytest.mark.parametrize("executable", ["ams", "simulated_robot", "inference", "replay_supervisor"])
def test_an_executable_is_listed_importable_and_where_ros2_run_looks(executable):
    module, function = entry_points()[executable].split(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert os.access(installed(f"lib/ams_ros/{executable}"), os.X_OK)


@IN_CHECKOUT
def test_package_xml_declares_every_ros_package_that_is_imported():
    imported = {name for name in imports_of("ams_ros", "launch") if ROS.match(name)}
    assert "rclpy" in imported
    assert imported <= declared_dependencies("depend", "exec_depend")


@IN_CHECKOUT
def test_package_xml_declares_what_the_tests_import():
    imported = {name for name in imports_of("test") if ROS.match(name)}
    assert imported <= declared_dependencies("depend", "exec_depend", "test_depend")


@IN_CHECKOUT
def test_setup_cfg_requires_every_python_package_that_is_imported():
    imported = {DISTRIBUTIONS.get(name, name) for name in imports_of("ams_ros") if not ROS.match(name)}
    assert {"torch", "mujoco"} <= imported
    assert imported <= required_distributions(setup_cfg()["options"]["install_requires"])


@IN_CHECKOUT
def test_the_versions_in_package_xml_and_setup_cfg_agree():
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.findtext("version") == setup_cfg()["metadata"]["version"]
    assert package.findtext("license") == setup_cfg()["metadata"]["license"]


@IN_CHECKOUT
def test_package_data_config_and_launch_files_are_installed():
    site = Path(importlib.import_module("ams_ros.msg").__file__).parent.parent
    data = [file for file in (ROOT / "ams_ros").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    missing = [f for f in data if f.suffix != ".py" and not (site / f.relative_to(ROOT / "ams_ros")).is_file()]
    for folder in ("config", "launch"):
        for file in (file for file in (ROOT / folder).rglob("*.*") if "__pycache__" not in file.parts):
            installed(f"share/ams_ros/{file.relative_to(ROOT)}")
    assert not missing
