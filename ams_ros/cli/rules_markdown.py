"""The tables of docs/exceptions.md, made from the declarations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ams_ros.cli.rules_view import kind_of, number
from ams_ros.exception.conditions.quantities import Quantity, quantities
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.rule_table import LOOKS_AT, Standing, sensor_standings, standings
from ams_ros.exception.settings import limit_of, thresholds
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.robot.driver import ServiceCall
from ams_ros.robot.driver_file import driver_names, load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import RobotProfile, load_profile, profile_names


def tables() -> dict[str, str]:
    """Each table by what it is about, without a line break at its end."""
    return {
        "rules": _rules(),
        "thresholds": _thresholds(),
        "drivers": _drivers(),
        "stops": _stops(),
        "quantities": _quantities(load_profile("widowx_250s")),
    }


def _rules() -> str:
    rows = [
        (
            f"`{name}`",
            kind_of(rule),
            LOOKS_AT[name],
            ", ".join(sorted(need.value for need in rule.needs)) or "-",
            rule.severity.value if not hasattr(rule.Settings, "conditions") else "the condition's, minor by default",
            "yes" if rule.always else "no",
        )
        for name, rule in RULES.items()
    ]
    return _table(("rule", "kind", "looks at", "needs", "severity", "speaks at rest"), rows)


def _thresholds() -> str:
    rows = []
    for name, rule in RULES.items():
        for each in thresholds(rule.Settings):
            known = limit_of(each)
            rows.append(
                (
                    f"`{name}.{each.name}`",
                    f"{number(each.default)} {known.unit}".rstrip() + (", per joint" if known.per_joint else ""),
                    f"{known.minimum:g} to {known.maximum:g}",
                    known.text,
                    known.source,
                    "yes" if known.learned else "",
                )
            )
    return _table(("threshold", "default", "range", "meaning", "source", "learned"), rows)


def _drivers() -> str:
    names = driver_names()
    found = {name: _standings(name) for name in names}
    everything = list(dict.fromkeys(key for name in names for key in (*RULES, *found[name])))
    order = sorted(everything, key=lambda key: (list(RULES).index(key.partition(".")[0]), key))
    rows = [(f"`{key}`", *(_mark(found[name].get(key)) for name in names)) for key in order]
    return _table(("rule", *(f"`{name}`" for name in names)), rows)


def _standings(name: str) -> dict[str, Standing]:
    driver = load_driver(name)
    if driver.robot not in profile_names():
        return sensor_standings(driver)
    profile = load_profile(driver.robot)
    return standings(WatchedRobot(profile, driver, ArmDynamics(profile)), load_rule_settings(driver))


def _mark(standing: Standing | None) -> str:
    if standing is None or (standing.runs and not standing.reason):
        return "on"
    return f"on, {standing.reason}" if standing.runs else f"off: {standing.reason.partition(', which')[0]}"


def _stops() -> str:
    rows = []
    for driver in map(load_driver, driver_names()):
        rest = f"{driver.rest.velocity:g} rad/s in {driver.rest.samples} samples, within {driver.rest.deadline:g} s"
        rungs = "; ".join(f"{step.stage.value} {step.deadline:g} s{_called(step.call)}" for step in driver.stop)
        restart = ", then ".join(_called(step.call).strip(" ()") for step in driver.restart) or "a person"
        rows.append((f"`{driver.name}`", rungs, rest, restart))
    return _table(("driver", "rungs, each with its deadline", "at rest", "restart"), rows)


def _called(call: ServiceCall | None) -> str:
    if call is None:
        return ""
    argument = " ".join(filter(None, (call.argument, *call.controllers)))
    return f" (`{call.service}`{f' {argument}' if argument else ''})"


def _quantities(profile: RobotProfile) -> str:
    joint = f".{profile.joint_names[0]}."
    others = tuple(f".{name}." for name in profile.joint_names[1:])
    known = [each for each in quantities(profile).values() if not any(name in each.name for name in others)]
    return _table(("quantity", "unit", "meaning", "needs"), (_quantity(each, joint) for each in known))


def _quantity(quantity: Quantity, joint: str) -> Sequence[str]:
    return (
        f"`{quantity.name.replace(joint, '.<joint>.')}`",
        "true or false" if quantity.flag else quantity.unit or "-",
        quantity.text + (" (known at the ends of sub-slices only)" if quantity.per_sub_slice else ""),
        ", ".join(sorted(need.value for need in quantity.needs)) or "-",
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
