"""Conditions from YAML files: nothing in them is evaluated as code, and everything in them is checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from ams_ros.errors import ConfigurationError
from ams_ros.exception.conditions.condition import Comparison, Condition, Expectation
from ams_ros.exception.conditions.quantities import Quantity, quantities
from ams_ros.resources import share_directory
from ams_ros.robot.profile import RobotProfile
from ams_ros.robot.section import Section, read_section
from ams_ros.types import Severity

LONGEST = 60.0
"""Longest `for`, s."""
MOST = 64
"""Most conditions of a file, and a bound on what one sample costs."""
MOST_WHEN = 8
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_EXPECTATION = ("quantity", "comparison", "value", "for")
_CONDITION = (
    "name", *_EXPECTATION, "when", "hysteresis", "severity", "message", "executing", "once", "enabled",
)  # fmt: skip


def outcomes_file() -> Path:
    """The expected outcomes that ship (paper, Table 3)."""
    return share_directory() / "config" / "outcomes.yaml"


def read_conditions(path: Path, profile: RobotProfile) -> tuple[Condition, ...]:
    """The conditions of a file, those switched off left out.

    Raises ConfigurationError naming the key that is unknown, missing or wrong, its value and what is allowed.
    """
    return parse_conditions(read_section(path), profile)


def parse_conditions(root: Section, profile: RobotProfile) -> tuple[Condition, ...]:
    """The conditions in a mapping with the one key `conditions`; see `read_conditions`."""
    root.only("conditions")
    known = quantities(profile)
    found: dict[str, Condition] = {}
    for section in root.sections("conditions"):
        condition = _condition(section, known)
        if condition.name in found:
            raise ConfigurationError(f"{section.key}.name", condition.name, "a name no other condition has")
        found[condition.name] = condition
        if len(found) > MOST:
            raise ConfigurationError(f"{root.key}.conditions", f"more than {MOST}", f"at most {MOST} conditions")
    return tuple(condition for condition in found.values() if condition.enabled)


def _condition(section: Section, known: Mapping[str, Quantity]) -> Condition:
    section.only(*_CONDITION)
    name = section.text("name")
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{section.key}.name", name, "lower case letters, digits and _, a letter first")
    expected = _expectation(section, known)
    if expected.quantity.per_sub_slice and expected.hold > 0.0:
        raise ConfigurationError(f"{section.key}.for", expected.hold, f"nothing, as {_at_ends(expected.quantity)}")
    when = tuple(_when(each, known) for each in section.sections("when")) if section.has("when") else ()
    if expected.quantity.per_sub_slice and any(each.hold > 0.0 for each in when):
        raise ConfigurationError(f"{section.key}.when", "for", f"no for, as {_at_ends(expected.quantity)}")
    if len(when) > MOST_WHEN:
        raise ConfigurationError(f"{section.key}.when", f"{len(when)} entries", f"at most {MOST_WHEN}")
    return Condition(
        name=name,
        expected=expected,
        when=when,
        hysteresis=_hysteresis(section, expected),
        severity=_severity(section),
        message=section.text("message") if section.has("message") else "",
        executing=section.flag("executing") if section.has("executing") else True,
        once=section.flag("once") if section.has("once") else False,
        enabled=section.flag("enabled") if section.has("enabled") else True,
    )


def _when(section: Section, known: Mapping[str, Quantity]) -> Expectation:
    section.only(*_EXPECTATION)
    expectation = _expectation(section, known)
    if expectation.quantity.per_sub_slice:
        raise ConfigurationError(
            f"{section.key}.quantity", expectation.quantity.name, f"another one, as {_at_ends(expectation.quantity)}"
        )
    return expectation


def _at_ends(quantity: Quantity) -> str:
    return f"{quantity.name} is known at the ends of sub-slices only"


def _expectation(section: Section, known: Mapping[str, Quantity]) -> Expectation:
    quantity = _quantity(section, known)
    comparison = _comparison(section, quantity)
    lower, upper = _limits(section, comparison)
    hold = section.number("for") if section.has("for") else 0.0
    if not 0.0 <= hold <= LONGEST:
        raise ConfigurationError(f"{section.key}.for", hold, f"0..{LONGEST:g} s")
    return Expectation(quantity, comparison, lower, upper, hold)


def _quantity(section: Section, known: Mapping[str, Quantity]) -> Quantity:
    name = section.text("quantity")
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    raise ConfigurationError(f"{section.key}.quantity", name, f"{', '.join(known)}{hint}")


def _comparison(section: Section, quantity: Quantity) -> Comparison:
    allowed = [each.value for each in Comparison if (each is Comparison.IS) == quantity.flag]
    name = section.text("comparison")
    if name not in allowed:
        raise ConfigurationError(f"{section.key}.comparison", name, f"{', '.join(allowed)} for {quantity.name}")
    return Comparison(name)


def _limits(section: Section, comparison: Comparison) -> tuple[float, float]:
    match comparison:
        case Comparison.IS:
            value = float(section.flag("value"))
            return value, value
        case Comparison.ABOVE:
            return section.number("value"), float("inf")
        case Comparison.BELOW:
            return float("-inf"), section.number("value")
    lower, upper = section.numbers("value", 2)
    if lower >= upper:
        raise ConfigurationError(f"{section.key}.value", [lower, upper], "two numbers, the smaller one first")
    return lower, upper


def _hysteresis(section: Section, expected: Expectation) -> float:
    if not section.has("hysteresis"):
        return 0.0
    value = section.number("hysteresis")
    if expected.comparison is Comparison.IS:
        raise ConfigurationError(f"{section.key}.hysteresis", value, f"nothing, as {expected.quantity.name} is a flag")
    room = (expected.upper - expected.lower) / 2 if expected.comparison is Comparison.WITHIN else float("inf")
    if not 0.0 <= value < room:
        raise ConfigurationError(f"{section.key}.hysteresis", value, f"at least 0 and below {room:g}")
    return value


def _severity(section: Section) -> Severity:
    allowed = [each.value for each in Severity]
    name = section.text("severity") if section.has("severity") else Severity.MINOR.value
    if name not in allowed:
        raise ConfigurationError(f"{section.key}.severity", name, ", ".join(allowed))
    return Severity(name)
