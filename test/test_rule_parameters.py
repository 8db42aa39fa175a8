"""The settings of the rules as parameters of a node that never spins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from ams_ros.errors import ConfigurationError
from ams_ros.exception.detector import Detector
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.settings import thresholds
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.nodes.rule_parameters import RuleParameters
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile

SHARE = "rules.torque.share"
Make = Callable[..., tuple[Node, RuleParameters]]


@pytest.fixture
def make(domain: int) -> Iterator[Make]:
    context = rclpy.Context()
    context.init()
    nodes = []

    def made(driver: str = "simulated_widowx", **given: Any) -> tuple[Node, RuleParameters]:
        overrides = [Parameter(name.replace("__", "."), value=value) for name, value in given.items()]
        nodes.append(Node("parameters", context=context, parameter_overrides=overrides))
        known = load_driver(driver)
        profile = load_profile(known.robot)
        robot = WatchedRobot(profile, known, ArmDynamics(profile))
        parameters = RuleParameters(nodes[-1], robot, load_rule_settings(known))
        parameters.follow(Detector(robot, parameters.settings))
        return nodes[-1], parameters

    yield made
    for node in nodes:
        node.destroy_node()
    context.shutdown()


def refused(node: Node, name: str, value: Any) -> str:
    (result,) = node.set_parameters([Parameter(name, value=value)])
    return str(result.reason) if not result.successful else ""


def test_every_threshold_of_every_rule_is_a_parameter_with_a_description_and_a_range(make):
    node, parameters = make()
    for rule, setting in parameters.settings.items():
        assert node.describe_parameter(f"rules.{rule}.enabled").description
        for each in thresholds(setting.thresholds):
            described = node.describe_parameter(f"rules.{rule}.{each.name}")
            assert described.description
            ranges = (described.floating_point_range, described.integer_range)
            assert any(ranges) or "each" in described.additional_constraints or isinstance(each.default, bool)


def test_a_value_given_at_the_start_overrides_the_files_and_does_so_again_after_a_cleanup(make):
    node, parameters = make(rules__torque__share=0.5, rules__silence__enabled=False)
    assert parameters.settings["torque"].thresholds.share == 0.5
    assert not parameters.settings["silence"].enabled
    parameters.withdraw()
    assert not node.has_parameter(SHARE)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rules__tork__share": 0.5}, ["tork", "torque"]),
        ({"rules__torque__shares": 0.5}, ["shares", "share"]),
        ({"rules__torque__share": 99.0}, ["share", "99"]),
        ({"rules__torque__share": "much"}, ["share", "much"]),
        ({"rules__torque__enabled": "perhaps"}, ["enabled", "perhaps"]),
    ],
)
def test_a_value_given_at_the_start_that_is_unknown_or_out_of_range_is_refused_naming_it(make, given, words):
    with pytest.raises(ConfigurationError) as error:
        make(**given)
    assert all(word in str(error.value) for word in words)


def test_a_change_reaches_the_detector_and_a_wrong_one_changes_nothing(make):
    node, parameters = make()
    assert refused(node, SHARE, [0.4] * 6) == ""
    assert parameters.settings["torque"].thresholds.share == (0.4,) * 6
    for wrong in ([0.4] * 5, [0.4] * 5 + [99.0], -1.0, "much", float("nan")):
        assert SHARE in refused(node, SHARE, wrong)
    assert parameters.settings["torque"].thresholds.share == (0.4,) * 6


def test_a_rule_that_the_robot_cannot_run_cannot_be_switched_on(make):
    node, _ = make("interbotix_wx250s")
    assert refused(node, "rules.torque.enabled", False) == ""
    assert "effort" in refused(node, "rules.torque.enabled", True)
