"""The simulated JAKA as a node, and the overlay that turns the shipped graph into one with a JAKA."""

from __future__ import annotations

import pytest
import yaml
from ros_probe import Probe
from sensor_msgs.msg import JointState

from ams_ros.errors import ConfigurationError
from ams_ros.nodes.exception_monitor import ExceptionMonitor
from ams_ros.nodes.graph import overlay_of
from ams_ros.nodes.inference import InferenceNode
from ams_ros.nodes.replay_supervisor import ReplaySupervisor
from ams_ros.nodes.simulated_robot import SimulatedRobotNode
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.profile import load_profile

pytestmark = pytest.mark.integration

PROFILE = load_profile("jaka_s5")
NODES = {
    "simulated_robot": SimulatedRobotNode,
    "exception_monitor": ExceptionMonitor,
    "inference": InferenceNode,
    "replay_supervisor": ReplaySupervisor,
}


def test_the_overlay_names_parameters_that_the_nodes_have_and_files_that_fit_the_robot() -> None:
    overlay = yaml.safe_load(overlay_of("jaka_s5").read_text())
    chosen = {key.removeprefix("/**/"): section["ros__parameters"] for key, section in overlay.items()}
    for node, parameters in chosen.items():
        assert set(parameters) <= {setting.name for setting in NODES[node].SETTINGS}
    assert load_driver(chosen["exception_monitor"]["driver"]).robot == PROFILE.name
    assert chosen["replay_supervisor"]["driver"] == chosen["exception_monitor"]["driver"]
    assert [place.name for place in load_surroundings(chosen["replay_supervisor"]["surroundings"]).places] == ["bowl"]
    assert chosen["simulated_robot"]["robot"] == chosen["inference"]["robot"] == PROFILE.name


def test_a_robot_without_an_overlay_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(ConfigurationError, match=r"robot.*'panda'.*jaka_s5"):
        overlay_of("panda")


def test_the_node_publishes_the_joints_of_the_robot_it_was_started_with(start_node, probe: Probe) -> None:
    node = start_node("simulated_robot", {"robot": "jaka_s5"})
    joints = probe.listen(JointState, "/joint_states")
    probe.bring_up(node.name)
    sample = joints.wait_for(lambda _: True, "a joint state")
    assert list(sample.name) == [*PROFILE.joint_names, PROFILE.gripper.joint]
    assert list(sample.position)[:-1] == pytest.approx(PROFILE.start, abs=0.01)
    names = probe.parameter_names(node.name)
    assert "constraints.joint_6.goal" in names
    assert "constraints.waist.goal" not in names
    assert probe.parameters(node.name, "deadband") == {"deadband": PROFILE.deadband}
    (reason,) = probe.set_parameters(node.name, robot="widowx_250s")
    assert "read-only" in reason
