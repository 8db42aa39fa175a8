"""The documentation keeps up with the code."""

import re
from pathlib import Path

import pytest

from ams_ros.nodes.context_pool import ContextPoolNode
from ams_ros.nodes.exception_monitor import ExceptionMonitor
from ams_ros.nodes.inference import InferenceNode
from ams_ros.nodes.replay_supervisor import ReplaySupervisor
from ams_ros.nodes.simulated_robot import SimulatedRobotNode

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = re.split(r"^## ", (ROOT / "docs" / "nodes.md").read_text(), flags=re.MULTILINE)[1:]


def section(name):
    return next(text for text in SECTIONS if text.startswith(name))


def generic(parameter):
    """constraints.waist.goal is documented once for all joints, and short forms follow their first name."""
    return re.sub(r"^constraints\.[a-z_]+\.([a-z_]+)$", r".\1", parameter)


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("simulated_robot", SimulatedRobotNode),
        ("exception_monitor", ExceptionMonitor),
        ("context_pool", ContextPoolNode),
        ("inference", InferenceNode),
        ("replay_supervisor", ReplaySupervisor),
    ],
)
def test_every_parameter_of_a_node_is_documented(name, node):
    told = section(name)
    missing = [setting.name for setting in node.SETTINGS if f"{generic(setting.name)}`" not in told]
    assert not missing


def test_every_file_the_documentation_links_to_exists():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"]
    broken = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert not broken


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "./run demo" in text
    assert "./run test" in text
