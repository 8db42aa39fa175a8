"""The launch file starts the node list that `ams up` starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from ams_ros.nodes.graph import load_graph

ABSENT = "launch is not installed: it comes with a ROS installation, there is no wheel of it"
launch_actions = pytest.importorskip("launch.actions", reason=ABSENT)
launch_context = pytest.importorskip("launch.launch_context", reason=ABSENT)
launch_sources = pytest.importorskip("launch.launch_description_sources", reason=ABSENT)
ros_actions = pytest.importorskip("launch_ros.actions", reason=ABSENT)

LAUNCH_FILE = Path(__file__).resolve().parent.parent / "launch" / "simulation.launch.py"
ROS2_LAUNCH = [sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())", "launch"]


@pytest.fixture
def entities():
    """What the launch file yields, without running it."""
    context = launch_context.LaunchContext()
    description = launch_sources.get_launch_description_from_python_launch_file(str(LAUNCH_FILE))
    return [found for entity in description.entities for found in entity.visit(context) or []]


def test_the_launch_file_starts_the_node_list_in_its_order(entities):
    nodes = [entity for entity in entities if isinstance(entity, ros_actions.LifecycleNode)]
    assert [node.node_executable for node in nodes] == [entry.executable for entry in load_graph()]


def test_handlers_come_before_the_processes_so_that_no_transition_is_missed(entities):
    kinds = [type(entity) for entity in entities]
    last_handler = max(place for place, kind in enumerate(kinds) if kind is launch_actions.RegisterEventHandler)
    assert last_handler < kinds.index(ros_actions.LifecycleNode)
    assert kinds[-1] is launch_actions.EmitEvent


def test_ros2_launch_shows_the_arguments():
    pytest.importorskip("ros2launch", reason="ros2launch is not installed")
    command = [*ROS2_LAUNCH, str(LAUNCH_FILE), "--show-args"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    for argument in ("namespace", "use_sim_time", "speed", "policy", "log_level"):
        assert f"'{argument}'" in shown
