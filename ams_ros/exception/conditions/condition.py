"""What a condition says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ams_ros.exception.conditions.quantities import Quantity
from ams_ros.exception.rule import Need
from ams_ros.types import Severity

EVER_LARGER = 1e3
"""Largest strain worth telling."""


class Comparison(Enum):
    """How a quantity is compared. WITHIN includes its ends; IS is for quantities that are true or false."""

    ABOVE = "above"
    BELOW = "below"
    WITHIN = "within"
    OUTSIDE = "outside"
    IS = "is"


@dataclass(frozen=True, slots=True)
class Expectation:
    """A quantity and where it should be.

    lower, upper: of WITHIN and OUTSIDE; ABOVE has a lower and BELOW an upper one, IS the same for both. hold: s.
    """

    quantity: Quantity
    comparison: Comparison
    lower: float
    upper: float
    hold: float = 0.0

    def met(self, value: float, slack: float = 0.0) -> bool:
        """Whether a known value is where it should be, by more than `slack`, in the quantity's unit."""
        match self.comparison:
            case Comparison.ABOVE:
                return value > self.lower + slack
            case Comparison.BELOW:
                return value < self.upper - slack
            case Comparison.OUTSIDE:
                return value < self.lower - slack or value > self.upper + slack
        return self.lower + slack <= value <= self.upper - slack

    def strain(self, value: float) -> float:
        """How close a known value is to where it should not be, 1 at the limit, more beyond it, never below 0."""
        lower, upper = self.lower, self.upper
        match self.comparison:
            case Comparison.ABOVE:
                ratio = 1.0 + (lower - value) / (abs(lower) or 1.0)
            case Comparison.BELOW:
                ratio = 1.0 + (value - upper) / (abs(upper) or 1.0)
            case Comparison.IS:
                ratio = 0.0 if value == lower else 2.0
            case Comparison.WITHIN:
                ratio = abs(2.0 * value - lower - upper) / (upper - lower)
            case Comparison.OUTSIDE:
                away = abs(2.0 * value - lower - upper)
                ratio = (upper - lower) / away if away > 0.0 else EVER_LARGER
        return min(max(ratio, 0.0), EVER_LARGER)

    def limit(self, value: float) -> float:
        """The limit nearest to `value`."""
        return min(self._limits, key=lambda limit: abs(limit - value))

    @property
    def _limits(self) -> tuple[float, ...]:
        match self.comparison:
            case Comparison.ABOVE | Comparison.IS:
                return (self.lower,)
            case Comparison.BELOW:
                return (self.upper,)
        return self.lower, self.upper

    @property
    def wanted(self) -> str:
        """Where the quantity should be, in words, such as `above 0.02 m`."""
        if self.comparison is Comparison.IS:
            return "true" if self.lower else "false"
        limits = " and ".join(f"{limit:g}" for limit in self._limits)
        return f"{self.comparison.value} {limits} {self.quantity.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold while something is under execution, or whenever, and what it is worth.

    expected: what must hold; it is violated when it did not for `expected.hold` s. when: all of these must hold, each
    for its own `hold` s, for the condition to matter. hysteresis: once violated it holds again only beyond its limit by
    this much, in the quantity's unit. executing: whether it matters only while something is under execution. once:
    whether it is raised again only after it held again; otherwise also in the next plan and after the next release.
    """

    name: str
    expected: Expectation
    when: tuple[Expectation, ...] = ()
    hysteresis: float = 0.0
    severity: Severity = Severity.MINOR
    message: str = ""
    executing: bool = True
    once: bool = False
    enabled: bool = True

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All it is about, first the one that is expected."""
        return self.expected.quantity, *(each.quantity for each in self.when)

    @property
    def needs(self) -> frozenset[Need]:
        """What the robot must have for it."""
        return frozenset[Need]().union(*(quantity.needs for quantity in self.quantities))

    @property
    def compensated(self) -> bool:
        """Whether it needs the wrench without offset and weight."""
        return any(quantity.compensated for quantity in self.quantities)
