"""Following one condition from sample to sample."""

from __future__ import annotations

import numpy as np

from ams_ros.exception.conditions.condition import Condition, Expectation
from ams_ros.exception.conditions.readings import Readings

_TICK = 1e-9
"""Moments closer than this (s) are the same moment; stamps are sums of sample periods."""


class _Timer:
    """Since when something is so, on the robot's clock."""

    def __init__(self) -> None:
        self.since = np.inf

    def run(self, so: bool, stamp: float) -> float:
        """How long (s) it has been so without a break; -1 when it is not. Time that went back starts anew."""
        self.since = min(self.since, stamp) if so else np.inf
        return stamp - self.since if so else -1.0


class ConditionWatch:
    """Says once when a condition is violated."""

    def __init__(self, condition: Condition) -> None:
        """Nothing seen yet."""
        self.condition = condition
        self._failing = _Timer()
        self._matters = tuple((expectation, _Timer()) for expectation in condition.when)
        self._failed = False
        self._told = False
        self.value = np.nan
        """Of the quantity, when it was last looked at."""
        self.strain = 0.0
        """How close to its limit the quantity was when it was last looked at and mattered."""

    def look(self, readings: Readings) -> bool:
        """Take a sample in; returns whether the condition is violated and that was not told yet."""
        condition, stamp = self.condition, readings.state.stamp
        matters = self._applies(readings, stamp)
        if not matters and not self._failed:
            # Nothing to judge, and no failure whose end would have to be seen: spare the reading.
            self._failing.since, self.strain = np.inf, 0.0
            return False
        self.value = value = float(condition.expected.quantity.read(readings))
        met = condition.expected.met(value, condition.hysteresis if self._failed else 0.0)
        known = value == value  # noqa: PLR0124 - NaN, which is unknown, is the only number that differs from itself
        self.strain = condition.expected.strain(value) if known and matters else 0.0
        if met:
            self._failed = self._told = False
        failing = known and matters and not met
        held = self._failing.run(failing, stamp)
        if not failing:
            self.again()
            return False
        if held < condition.expected.hold - _TICK or (condition.executing and not readings.state.executing):
            return False
        self._failed = True
        told, self._told = self._told, True
        return not told

    def _applies(self, readings: Readings, stamp: float) -> bool:
        applies = True
        for expectation, timer in self._matters:
            so = _is_met(expectation, readings)
            # Every timer runs with every sample, also behind one that says no.
            applies &= timer.run(so, stamp) >= max(expectation.hold - _TICK, 0.0)
        return applies

    def again(self) -> None:
        """What is still violated may be told again, unless the condition wants that told once."""
        self._told = self._told and self.condition.once

    def forget(self) -> None:
        """Time may begin anew. What was told once stays told: a stop that was released does not open the fingers."""
        self._failing.since = np.inf
        for _, timer in self._matters:
            timer.since = np.inf
        self.again()


def _is_met(expectation: Expectation, readings: Readings) -> bool:
    """Whether it holds now; what is unknown does not."""
    return expectation.met(float(expectation.quantity.read(readings)))
