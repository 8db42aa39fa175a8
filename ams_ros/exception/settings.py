"""Thresholds: declared once per rule, read from YAML, offered as parameters, learned by calibration."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any

import numpy as np

from ams_ros.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Limit:
    """What is known about one threshold.

    unit: SI, empty for none. minimum, maximum: allowed range. text: one line for descriptions and docs.
    source: where the default comes from. learned: whether `ams calibrate` may set it. per_joint: whether the value may
    also be a tuple of one number for each joint; a single number then holds for all.
    """

    unit: str
    minimum: float
    maximum: float
    text: str
    source: str
    learned: bool
    per_joint: bool


def limit(
    default: float | int | bool,
    unit: str,
    minimum: float,
    maximum: float,
    text: str,
    *,
    source: str = "chosen",
    learned: bool = False,
    per_joint: bool = False,
) -> Any:
    """A field of a rule's Settings. The default's type (float, int, bool) is the threshold's type."""
    return field(default=default, metadata={"limit": Limit(unit, minimum, maximum, text, source, learned, per_joint)})


def thresholds(settings: Any) -> tuple[Field[Any], ...]:
    """Those fields of a rule's Settings, class or instance, that `limit` made; others hold what is no number."""
    return tuple(each for each in fields(settings) if "limit" in each.metadata)


def limit_of(each: Field[Any]) -> Limit:
    """What is known about a field made by `limit`."""
    found: Limit = each.metadata["limit"]
    return found


def check_limits(settings: Any, rule: str) -> None:
    """Raise ConfigurationError for a threshold out of its range; for __post_init__ and for files."""
    for each in thresholds(settings):
        known, value = limit_of(each), getattr(settings, each.name)
        if isinstance(value, bool):
            continue
        numbers = value if known.per_joint and isinstance(value, tuple) else (value,)
        if not numbers or not all(_within(number, known) for number in numbers):
            unit = f" {known.unit}" if known.unit else ""
            raise ConfigurationError(
                f"rules.{rule}.{each.name}", value, f"{known.minimum:g} to {known.maximum:g}{unit}"
            )


def _within(value: object, known: Limit) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and bool(np.isfinite(value)) and known.minimum <= value <= known.maximum  # type: ignore[operator,call-overload]
