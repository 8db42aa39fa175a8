"""Which rules run with which thresholds: declared defaults, the shipped files, then what was learned."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import Field, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from ams_ros.errors import ConfigurationError
from ams_ros.exception.conditions.condition_file import outcomes_file, read_conditions
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.rules.action_effect import ActionEffect
from ams_ros.exception.rules.condition import ConditionRule
from ams_ros.exception.rules.outcome import Outcome
from ams_ros.exception.settings import limit_of, thresholds
from ams_ros.resources import share_directory
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.profile import RobotProfile, load_profile
from ams_ros.robot.section import Section, read_section


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """Whether a rule runs, and its thresholds, an instance of the rule's `Settings`."""

    enabled: bool
    thresholds: Any


RuleSettings: TypeAlias = Mapping[str, RuleSetting]
"""By rule name; holds every rule there is."""


def default_rule_settings() -> dict[str, RuleSetting]:
    """Every rule enabled, every threshold as its rule declares it."""
    return {name: RuleSetting(True, rule.Settings()) for name, rule in RULES.items()}


def load_rule_settings(
    driver: DriverProfile, overlay: Path | None = None, conditions: Path | None = None
) -> dict[str, RuleSetting]:
    """The declared defaults, then config/exceptions.yaml, config/thresholds/<driver>.yaml, and last what was learned.

    Rules of expected outcomes get those of config/outcomes.yaml, rule `condition` those of the file `conditions`.
    Raises ConfigurationError naming key, value and what is allowed, and for an overlay of another robot or driver.
    """
    settings = _with_conditions(load_profile(driver.robot), conditions)
    config = share_directory() / "config"
    shipped = read_section(config / "exceptions.yaml")
    shipped.only("rules")
    settings = _overlaid(settings, shipped)
    of_driver = config / "thresholds" / f"{driver.name}.yaml"
    for file in (of_driver if of_driver.is_file() else None, overlay):
        if file is None:
            continue
        own = read_section(file)
        own.only("robot", "driver", "made", "rules")
        for key, expected in (("robot", driver.robot), ("driver", driver.name)):
            if own.text(key) != expected:
                raise ConfigurationError(f"{own.key}.{key}", own.text(key), expected)
        settings = _overlaid(settings, own)
    return settings


def changed(settings: RuleSettings, rule: str, values: Mapping[str, object]) -> dict[str, RuleSetting]:
    """The same settings with other values for one rule: `enabled` or thresholds, by name.

    Raises ConfigurationError for an unknown rule or threshold, a wrong type, or a value out of range.
    """
    known = checked_name("rules", rule, tuple(settings))
    setting = settings[known]
    declared = {each.name: each for each in thresholds(setting.thresholds)}
    enabled, new = setting.enabled, {}
    for name, value in values.items():
        checked_name(f"rules.{rule}", name, ("enabled", *declared))
        if name == "enabled":
            if not isinstance(value, bool):
                raise ConfigurationError(f"rules.{rule}.enabled", value, "true or false")
            enabled = value
        else:
            new[name] = _typed(f"rules.{rule}.{name}", value, declared[name])
    return {**settings, rule: RuleSetting(enabled, replace(setting.thresholds, **new))}


def checked_name(key: str, name: str, allowed: tuple[str, ...]) -> str:
    """`name` when it is one of `allowed`. Raises ConfigurationError that names them, nearest first."""
    if name not in allowed:
        near = difflib.get_close_matches(name, allowed, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ConfigurationError(key, name, ", ".join(allowed) + hint)
    return name


def _with_conditions(profile: RobotProfile, file: Path | None) -> dict[str, RuleSetting]:
    """The defaults, with what is to be watched for."""
    settings = default_rule_settings()
    outcomes = read_conditions(outcomes_file(), profile)
    wanted = {Outcome.name: outcomes, ActionEffect.name: outcomes}
    if file is not None:
        wanted[ConditionRule.name] = read_conditions(file, profile)
    for rule, found in wanted.items():
        settings[rule] = replace(settings[rule], thresholds=replace(settings[rule].thresholds, conditions=found))
    return settings


def _overlaid(settings: RuleSettings, file: Section) -> dict[str, RuleSetting]:
    new = dict(settings)
    try:
        rules = file.section("rules")
        for rule, _ in rules.items():
            checked_name("rules", rule, tuple(settings))
            new = changed(new, rule, dict(rules.section(rule).items()))
    except ConfigurationError as error:
        # Says which of the files it was, as keys are the same in both.
        key = error.key if error.key.startswith(file.key) else f"{file.key}: {error.key}"
        raise ConfigurationError(key, error.value, error.allowed) from error
    return new


def _typed(key: str, value: object, threshold: Field[Any]) -> object:
    """The value in the type the threshold was declared with; its range is checked by the Settings themselves."""
    kind = type(threshold.default)
    if kind is bool:
        if not isinstance(value, bool):
            raise ConfigurationError(key, value, "true or false")
        return value
    if isinstance(value, (list, tuple)) and limit_of(threshold).per_joint:
        return tuple(_number(key, each, kind) for each in value)
    return _number(key, value, kind, joints=limit_of(threshold).per_joint)


def _number(key: str, value: object, kind: type, *, joints: bool = False) -> float | int:
    what = "a whole number" if kind is int else "a number"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigurationError(key, value, f"{what}, or a list of one for each joint" if joints else what)
    if kind is int:
        if not float(value).is_integer():
            raise ConfigurationError(key, value, what)
        return int(value)
    return float(value)
