"""The rules of one driver as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from ams_ros.cli.output import console, print_table
from ams_ros.exception.conditions.condition import Condition, Expectation
from ams_ros.exception.conditions.condition_file import outcomes_file
from ams_ros.exception.rule import Rule, WatchedRobot
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.rule_table import Standing, sensor_standings, standings
from ams_ros.exception.rules.action_effect import ActionEffect
from ams_ros.exception.rules.condition import ConditionRule
from ams_ros.exception.settings import limit_of, thresholds
from ams_ros.exception.threshold_file import RuleSettings, default_rule_settings, load_rule_settings
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile, profile_names
from ams_ros.robot.section import read_section


def show(driver_name: str, overlay: Path | None, conditions: Path | None) -> None:
    """Print rules, conditions, and why some of them do not run.

    Raises ConfigurationError for what the exception monitor would refuse. An arm without a profile is shown as far as
    its driver tells, unless files are to be checked against it.
    """
    driver = load_driver(driver_name)
    known = driver.robot in profile_names() or overlay is not None or conditions is not None
    settings = load_rule_settings(driver, overlay, conditions) if known else default_rule_settings()
    found = standings(_watched(driver), settings) if known else sensor_standings(driver)
    _rules(settings, found)
    _conditions(settings, found)
    off = {name: Standing(False, "switched off in its file") for name in _switched_off(outcomes_file(), conditions)}
    for name, standing in {**found, **off}.items():
        if standing.reason:
            console().print(f"{name}: {standing.reason if standing.runs else f'off, {standing.reason}'}")
    if not known:
        console().print(
            f"There is no profile config/robots/{driver.robot}.yaml: conditions are not known, and the exception "
            "monitor cannot be configured."
        )


def _watched(driver: DriverProfile) -> WatchedRobot:
    profile = load_profile(driver.robot)
    return WatchedRobot(profile, driver, ArmDynamics(profile))


def _rules(settings: RuleSettings, found: Mapping[str, Standing]) -> None:
    table = _table("rule", "kind", "severity", "", "thresholds")
    for name, rule in RULES.items():
        table.add_row(name, kind_of(rule), rule.severity.value, _state(found[name]), _thresholds(settings, rule))
    print_table(table)


def _conditions(settings: RuleSettings, found: Mapping[str, Standing]) -> None:
    table = _table("conditions", "must be", "when", "severity", "")
    for rule, condition in _watched_for(settings):
        standing = found.get(f"{rule}.{condition.name}", found[rule])
        when = ", ".join(map(_expected, condition.when))
        table.add_row(condition.name, _expected(condition.expected), when, condition.severity.value, _state(standing))
    if table.row_count:
        print_table(table)


def _watched_for(settings: RuleSettings) -> Iterator[tuple[str, Condition]]:
    """Each condition with the rule that judges it; the two rules of outcomes are given the same and share them."""
    for name, setting in settings.items():
        for condition in getattr(setting.thresholds, "conditions", ()):
            if name == ConditionRule.name or condition.expected.quantity.per_sub_slice == (name == ActionEffect.name):
                yield name, condition


def _switched_off(*files: Path | None) -> Iterator[str]:
    for file in filter(None, files):
        for section in read_section(file).sections("conditions"):
            if section.has("enabled") and not section.flag("enabled"):
                yield section.text("name")


def kind_of(rule: type[Rule]) -> str:
    """The kind as the paper numbers it, in words."""
    return f"#{rule.kind.value} {rule.kind.name.lower().replace('_', ' ')}"


def _state(standing: Standing) -> Text:
    if not standing.runs:
        return Text("off", "yellow")
    return Text("on, with less", "yellow") if standing.reason else Text("on", "green")


def _thresholds(settings: RuleSettings, rule: type[Rule]) -> str:
    shown = []
    for each in thresholds(rule.Settings):
        value, unit = getattr(settings[rule.name].thresholds, each.name), limit_of(each).unit
        default = "" if value == each.default else f" (default {number(each.default)})"
        shown.append(f"{each.name} {number(value)} {unit}".rstrip() + default)
    return ", ".join(shown)


def number(value: Any) -> str:
    """A threshold, or one for each joint."""
    return "[" + " ".join(f"{each:g}" for each in value) + "]" if isinstance(value, tuple) else f"{value:g}"


def _expected(expectation: Expectation) -> str:
    text = f"{expectation.quantity.name} {expectation.wanted}"
    return f"{text} for {expectation.hold:g} s" if expectation.hold else text


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
