"""What may move, and what a person is told about it."""

from __future__ import annotations

from enum import Enum

from ams_ros.types import ActionException, StopStage


class GuardState(Enum):
    """What may move. WATCHING: every goal. RECOVERING: announced recoveries only. The others: nothing."""

    WATCHING = "watching"
    STOPPING = "stopping"
    STOPPED = "stopped"
    RECOVERING = "recovering"
    AWAITING_ACKNOWLEDGE = "awaiting_acknowledge"


LATCHED = frozenset({GuardState.STOPPING, GuardState.STOPPED, GuardState.AWAITING_ACKNOWLEDGE})
"""The states in which nothing may move."""


def state_after(exception: ActionException) -> GuardState:
    """Where its stop leaves the guard once it has come to an end."""
    return GuardState.AWAITING_ACKNOWLEDGE if exception.acknowledge else GuardState.STOPPED


def what_next(state: GuardState, exception: ActionException | None, stage: StopStage, by_hand: str) -> str:
    """What happens next or what a person must do; empty while no stop is in force. by_hand: the driver's own advice."""
    if exception is None:
        return ""
    which = f"exception {exception.number} ({exception.rule})"
    if state is GuardState.STOPPING:
        return f"{which}: stopping the arm by {stage.value}"
    if state is GuardState.STOPPED:
        return f"{which}: the arm is at rest; nothing moves until the stop is released or acknowledged"
    if state is GuardState.RECOVERING:
        return f"{which}: only recovery motions may run"
    seen = "" if exception.stopped else "THE ARM WAS NOT SEEN TO COME TO REST: be ready to stop it by hand. "
    return f"{which}: {seen}Look at the robot, remove the cause, then acknowledge. If that is not enough: {by_hand}"
