"""What is told about one stop: the violation that caused it, those that joined it, and how it went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ams_ros.exception.rule import SEVERITIES, Violation
from ams_ros.exception.state import RobotState
from ams_ros.types import ActionException, ExceptionKind, Severity, StopStage

MOST_JOINED = 8
"""So many further violations are told in words; of the others only how many there were."""

_NOT_PROVEN = "the stop was not proven"


def exception_of(violation: Violation, state: RobotState, number: int, goal: str) -> ActionException:
    """The exception as it stands when its violation has just been seen. goal: hex id of the live one, or empty."""
    plan = state.plan
    return ActionException(
        number=number,
        stamp=violation.stamp if math.isfinite(violation.stamp) else 0.0,
        kind=violation.kind,
        severity=violation.severity,
        rule=violation.rule,
        message=violation.message,
        evidence=violation.evidence,
        goal=plan.goal if plan is not None else goal,
        context_id=plan.context_id if plan is not None else "",
        slice=plan.slice if plan is not None else -1,
        sub_slice=state.sub_slice if plan is not None else -1,
        step=plan.first_step + state.step if plan is not None and state.step >= 0 else -1,
    )


def left_over(exception: ActionException) -> ActionException:
    """The exception for whoever takes its stop over: one that was not proven awaits a person."""
    return replace(exception, acknowledge=exception.acknowledge or not exception.stopped)


def ended(exception: ActionException, stage: StopStage, refusals: Sequence[str], *, proven: bool) -> ActionException:
    """The exception once its stop has come to an end at `stage`.

    refusals: why rungs were left. A stop that was not proven is critical; what is critical awaits a person.
    """
    if not proven and not exception.message.endswith(_NOT_PROVEN):
        message = "; ".join((exception.message, *refusals, _NOT_PROVEN))
        exception = replace(exception, severity=Severity.CRITICAL, message=message)
    acknowledge = exception.acknowledge or exception.severity is Severity.CRITICAL
    return replace(exception, stage=stage, stopped=proven, acknowledge=acknowledge)


def failed(rule: str, error: Exception, stamp: float) -> Violation:
    """What a rule that raised is told as; rule: empty when it was the detector itself."""
    return Violation(rule or "detector", ExceptionKind.CRASH, Severity.CRITICAL, str(error), (), stamp)


def foreign_goal(goal: str, recovering: bool, stamp: float) -> Violation:
    """A goal that must not run was found live though none was being stopped."""
    what = "turned up during a recovery" if recovering else "was stopped, but lives again"
    text = f"goal {goal} {what}"
    return Violation("foreign_goal", ExceptionKind.CONDITION, Severity.SERIOUS, text, (), stamp)


def worse(one: Severity, other: Severity) -> Severity:
    """The worse of two severities."""
    return max(one, other, key=SEVERITIES.index)


class JoinedViolations:
    """The violations seen while the arm was being stopped for another one."""

    def __init__(self, first: Violation | ActionException) -> None:
        """first: what the arm is being stopped for."""
        self.severity = first.severity
        self._rules = {first.rule}
        self._joined: list[Violation] = []
        self._more = 0

    def add(self, violation: Violation) -> None:
        """Rules go on firing with every sample: each rule is told once, all are counted."""
        self.severity = worse(self.severity, violation.severity)
        if violation.rule in self._rules or len(self._joined) >= MOST_JOINED:
            self._more += 1
        else:
            self._rules.add(violation.rule)
            self._joined.append(violation)

    def told_in(self, exception: ActionException) -> ActionException:
        """The exception with what joined it: the worst severity, all messages and evidence."""
        words = [exception.message, *(f"{each.rule}: {each.message}" for each in self._joined)]
        if self._more:
            words.append(f"{self._more} more violations while it was being stopped")
        evidence = (*exception.evidence, *(item for each in self._joined for item in each.evidence))
        severity = worse(exception.severity, self.severity)
        return replace(exception, severity=severity, message="; ".join(words), evidence=evidence)
