"""Exceptions in words for people."""

from __future__ import annotations

from ams_ros.types import ActionException, StopStage

ACKNOWLEDGE = "then acknowledge the exception (ams acknowledge)"
"""What a person does last when an exception asks for one."""


def told(exception: ActionException) -> str:
    """What happened and whether the arm stands still, in one sentence without a full stop."""
    kind = exception.kind.name.lower().replace("_", " ")
    what = f"exception {exception.number}, {kind} ({exception.rule}): {exception.message}"
    if exception.stopped:
        return f"{what}; the arm was stopped and holds still"
    if not exception.acted:
        return f"{what}; nothing was stopped, as the monitor only watches"
    tried = "" if exception.stage is StopStage.NONE else f" (last tried: {exception.stage.value})"
    return f"{what}; the arm was NOT seen to come to rest{tried}: keep away and use its own emergency stop"


def left(exception: ActionException) -> str:
    """The same where nothing here handles it, with what a person must do."""
    if exception.acknowledge:
        return f"{told(exception)}. A person must look at the robot and remove the cause, {ACKNOWLEDGE}"
    return f"{told(exception)}. Nothing moves until the next task, which lifts this stop: see to the cause before it"


def lifting(exception: ActionException) -> str:
    """What ends a stop whose recovery failed, once a person has looked."""
    return ACKNOWLEDGE if exception.acknowledge else "the next task lifts the stop"
