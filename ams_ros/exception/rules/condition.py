"""Exception 7: a condition that a person wrote down does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ams_ros.errors import ConfigurationError
from ams_ros.exception.conditions.condition import Condition
from ams_ros.exception.conditions.quantities import Quantity
from ams_ros.exception.conditions.readings import Readings
from ams_ros.exception.conditions.watch import ConditionWatch
from ams_ros.exception.needs import missing
from ams_ros.exception.rule import SEVERITIES, Need, Rule, Violation, WatchedRobot
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, ExceptionKind, Severity


@dataclass(frozen=True, slots=True)
class ConditionSettings:
    """conditions: of a file that the user names; see conditions/condition_file.py."""

    conditions: tuple[Condition, ...] = ()


class ConditionRule(Rule):
    """Watches conditions. Their numbers are meant as they were written: `state.caution` does not scale them."""

    name = "condition"
    kind = ExceptionKind.CONDITION
    severity = Severity.MINOR
    Settings: ClassVar[type[ConditionSettings]] = ConditionSettings

    def __init__(self, settings: ConditionSettings, robot: WatchedRobot) -> None:
        """Raises ConfigurationError for a condition that only rule `action_effect` can judge."""
        super().__init__(settings, robot)
        self.off: dict[str, str] = {}
        """Conditions this robot has not the sensors for, by name, with the reason."""
        self.readings = Readings(robot)
        self._watches = tuple(
            ConditionWatch(condition) for condition in self.judged(settings.conditions) if self._can_be_known(condition)
        )
        self._external = any(watch.condition.compensated for watch in self._watches)
        self._wrench_watches = tuple(watch for watch in self._watches if Need.WRENCH in watch.condition.needs)

    def judged(self, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """Those of the conditions that are for this rule."""
        for condition in conditions:
            quantity = condition.expected.quantity
            if quantity.per_sub_slice:
                raise ConfigurationError(
                    f"conditions.{condition.name}.quantity", quantity.name, "a quantity known with every sample"
                )
        return conditions

    def begin(self, state: RobotState) -> None:
        """Conditions still violated are told again in the next plan."""
        self.readings.begin(state)
        for watch in self._watches:
            watch.again()

    def reset(self) -> None:
        """Timers start anew."""
        self.readings.forget()
        for watch in self._watches:
            watch.forget()

    def joints(self, state: RobotState) -> Violation | None:
        """Look at all conditions."""
        self.readings.take(state)
        return self._look(self._watches, state)

    def wrench(self, state: RobotState) -> Violation | None:
        """Look at those about the wrench, whose samples may come more often."""
        if not self._wrench_watches:
            return None
        self.readings.take(state)
        if self._external:
            self.readings.compensate(state)
        return self._look(self._wrench_watches, state)

    def _look(self, watches: tuple[ConditionWatch, ...], state: RobotState) -> Violation | None:
        violated: list[ConditionWatch] = [watch for watch in watches if watch.look(self.readings)]
        self.margin = max((watch.strain for watch in self._watches), default=0.0)
        return self._violation_of(violated, state) if violated else None

    def _violation_of(self, violated: list[ConditionWatch], state: RobotState) -> Violation:
        """One violation that names every condition violated by this sample; the first of the worst tells its text."""
        worst = max(violated, key=lambda watch: SEVERITIES.index(watch.condition.severity))
        evidence = tuple(
            Evidence(
                watch.condition.expected.quantity.name,
                watch.value,
                watch.condition.expected.limit(watch.value),
                watch.condition.expected.quantity.unit,
            )
            for watch in violated
        )
        message = "; ".join(self._text(watch) for watch in violated)
        return Violation(self.name, self.kind, worst.condition.severity, message, evidence, state.stamp)

    def _text(self, watch: ConditionWatch) -> str:
        condition, quantity = watch.condition, watch.condition.expected.quantity
        found = f"{quantity.name} is {_shown(quantity, watch.value)}, expected {condition.expected.wanted}"
        detail = quantity.detail(self.readings) if quantity.detail is not None else ""
        return f"{condition.name}: {condition.message or 'violated'} ({'; '.join(filter(None, (found, detail)))})"

    def _can_be_known(self, condition: Condition) -> bool:
        reason = missing(condition.needs, self.robot.driver)
        if reason:
            self.off[condition.name] = reason
        return not reason


def _shown(quantity: Quantity, value: float) -> str:
    if quantity.flag:
        return "true" if value else "false"
    return f"{value:.3g} {quantity.unit}".rstrip()
