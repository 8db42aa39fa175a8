"""The settings of all rules as ROS parameters: rules.<rule>.enabled and rules.<rule>.<threshold>."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from ams_ros.errors import ConfigurationError
from ams_ros.exception.detector import Detector
from ams_ros.exception.needs import missing
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.settings import Limit, limit_of, thresholds
from ams_ros.exception.threshold_file import RuleSetting, RuleSettings, changed

_PREFIX = "rules."


class RuleParameters:
    """Declared at construction with what the files say, which values given at the node's start override.

    They may be changed at any time, until `withdraw`; the rule concerned then starts anew. Those that may differ from
    joint to joint take one number for all or a list.
    """

    def __init__(self, node: Node, robot: WatchedRobot, settings: RuleSettings) -> None:
        """Raises ConfigurationError for a value given at the start that is unknown, of wrong type or out of range."""
        self._node, self._robot = node, robot
        self._settings = dict(settings)
        self._names: list[str] = []
        self._detector: Detector | None = None
        try:
            self._declare()
            self._refuse_unknown()
        except Exception:
            self.withdraw()
            raise

    @property
    def settings(self) -> RuleSettings:
        """What the parameters say."""
        return self._settings

    def follow(self, detector: Detector) -> None:
        """From now on have `detector` follow every change."""
        self._detector = detector
        self._node.add_on_set_parameters_callback(self._check)
        self._node.add_post_set_parameters_callback(self._apply)

    def withdraw(self) -> None:
        """Undeclare them; those given at the start come back with the next construction."""
        if self._detector is not None:
            self._node.remove_on_set_parameters_callback(self._check)
            self._node.remove_post_set_parameters_callback(self._apply)
            self._detector = None
        for name in self._names:
            self._node.undeclare_parameter(name)
        self._names = []

    def _declare(self) -> None:
        for rule, setting in list(self._settings.items()):
            values = {"enabled": self._declared(f"{_PREFIX}{rule}.enabled", setting.enabled, None)}
            for each in thresholds(setting.thresholds):
                value = getattr(setting.thresholds, each.name)
                values[each.name] = self._declared(f"{_PREFIX}{rule}.{each.name}", value, limit_of(each))
            self._settings = changed(self._settings, rule, values)

    def _declared(self, name: str, value: Any, limit: Limit | None) -> Any:
        value = list(value) if isinstance(value, tuple) else value
        try:
            declared = self._node.declare_parameter(name, value, _descriptor(name, value, limit))
        except ParameterException as error:
            allowed = f"{type(value).__name__}, {limit.minimum:g} to {limit.maximum:g}" if limit else "true or false"
            raise ConfigurationError(name, self._overrides().get(name, str(error)), allowed) from error
        self._names.append(name)
        return _plain(declared.value)

    def _refuse_unknown(self) -> None:
        for name, value in self._overrides().items():
            if name.startswith(_PREFIX) and name not in self._names:
                rule, _, threshold = name.removeprefix(_PREFIX).partition(".")
                changed(self._settings, rule, {threshold: value})  # raises, naming what there is

    def _overrides(self) -> dict[str, Any]:
        given = self._node._parameter_overrides  # rclpy offers no public way to read what was given at the start
        return {name: parameter.value for name, parameter in given.items()}

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            for rule, setting in self._changes(parameters).items():
                self._check_fit(rule, setting)
        except ConfigurationError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _check_fit(self, rule: str, setting: RuleSetting) -> None:
        """What cannot be seen from the number itself; rclpy asks all callbacks before anything is changed."""
        dof, lacking = len(self._robot.profile.joints), missing(RULES[rule].needs, self._robot.driver)
        for each in thresholds(setting.thresholds):
            value = getattr(setting.thresholds, each.name)
            if isinstance(value, tuple) and len(value) != dof:
                raise ConfigurationError(f"{_PREFIX}{rule}.{each.name}", value, f"a number, or a list of {dof}")
        if setting.enabled and not self._settings[rule].enabled and lacking:
            raise ConfigurationError(f"{_PREFIX}{rule}.enabled", setting.enabled, f"false: it {lacking}")

    def _apply(self, parameters: list[Parameter]) -> None:
        assert self._detector is not None
        for rule, setting in self._changes(parameters).items():
            if not missing(RULES[rule].needs, self._robot.driver):
                self._detector.change(rule, setting)
            self._settings = {**self._settings, rule: setting}

    def _changes(self, parameters: Iterable[Parameter]) -> dict[str, RuleSetting]:
        """The rules that these parameters change, as they will be."""
        settings, touched = self._settings, []
        for parameter in parameters:
            if parameter.name.startswith(_PREFIX):
                rule, _, name = parameter.name.removeprefix(_PREFIX).partition(".")
                settings = changed(settings, rule, {name: _plain(parameter.value)})
                touched.append(rule)
        return {rule: settings[rule] for rule in touched}


def _descriptor(name: str, value: Any, limit: Limit | None) -> ParameterDescriptor:
    if limit is None:
        return ParameterDescriptor(description="whether this rule watches")
    unit = f", {limit.unit}" if limit.unit else ""
    described = ParameterDescriptor(description=f"{limit.text}{unit}", additional_constraints=f"source: {limit.source}")
    if limit.per_joint:
        # rclpy holds the type fixed otherwise; the range of a list's numbers is looked at by the settings themselves.
        described.dynamic_typing = True
        described.additional_constraints += f"; each {limit.minimum:g} to {limit.maximum:g}"
    elif isinstance(value, float):
        described.floating_point_range = [FloatingPointRange(from_value=limit.minimum, to_value=limit.maximum)]
    elif not isinstance(value, bool):
        described.integer_range = [IntegerRange(from_value=int(limit.minimum), to_value=int(limit.maximum))]
    return described


def _plain(value: Any) -> Any:
    """A list where rclpy gives an array."""
    return value if isinstance(value, (bool, int, float, str)) else list(value)
