"""What is done about an exception: the policy of spec row E5 (paper, section 3.3.2) in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from ams_ros.errors import ConfigurationError
from ams_ros.recovery.atom_buffer import Mark
from ams_ros.types import ActionException, ExceptionKind, Severity

_NEVER_RESTARTED = frozenset({ExceptionKind.TORQUE, ExceptionKind.MOMENTUM})
"""Neither is mended by a restart (paper, section 3.3.2)."""


@dataclass(frozen=True, slots=True)
class HandlingSettings:
    """How much is tried before a person is asked.

    window: s on the robot's clock within which exceptions count together. per_window, per_task: exceptions handled in
    that time and in one task; one more ends the task. restart_after: so many exceptions #2, or #3, within the window,
    and the robot is restarted, which one alone would not bring about.
    """

    window: float = 60.0
    per_window: int = 5
    per_task: int = 20
    restart_after: int = 2

    def __post_init__(self) -> None:
        """Refuse counts and times that could never be met."""
        for each in fields(self):
            value = getattr(self, each.name)
            if not 1 <= value <= 100_000:
                raise ConfigurationError(f"handling.{each.name}", value, "1 to 100000")


@dataclass(frozen=True, slots=True)
class RestartAbility:
    """Whether the driver can restart the robot; if not, what a person has to do instead."""

    able: bool
    by_hand: str


@dataclass(frozen=True, slots=True)
class Handling:
    """What to do, beyond discarding the slice and inferring again, which every exception brings.

    safe_state: bring the robot to a good pose first, preferably to `back_to`. restart: then restart it. person: why it
    goes no further without a person, and what that person must do; empty to go on. With it nothing moves any more.
    """

    safe_state: bool = False
    restart: bool = False
    back_to: Mark = Mark.SLICE
    person: str = ""


def decide(
    exception: ActionException,
    history: Sequence[ActionException],
    restart: RestartAbility,
    settings: HandlingSettings,
) -> Handling:
    """The handling of `exception` after the earlier ones of this task in `history`, oldest first.

    | exception | handling |
    |---|---|
    | stop not proven, acknowledgement asked for, or CRITICAL | a person |
    | one too many within the window or the task | a person |
    | software, #6 and #7, whatever the severity | the slice is discarded, nothing else |
    | #1 collision | safe state, then restart; where the driver cannot: MINOR goes on, else a person |
    | #2 unreachable, #3 crash | safe state; the `restart_after`-th SERIOUS one also restart, or else a person |
    | #4 torque, #5 angular momentum | safe state, never a restart |

    The first exception within the window goes back to the begin of the slice, later ones to the last good pose.
    """
    recent = [past for past in history if exception.stamp - past.stamp <= settings.window]
    person = _person(exception, len(recent), len(history), settings)
    if person:
        return Handling(person=person)
    if not exception.kind.hardware:
        return Handling()
    back_to = Mark.GOOD if any(past.kind.hardware for past in recent) else Mark.SLICE
    wanted = _restart(exception, recent, settings)
    if wanted and not restart.able:
        if exception.kind is ExceptionKind.COLLISION and exception.severity is Severity.MINOR:
            wanted = False
        else:
            return Handling(person=f"the robot must be restarted by hand: {restart.by_hand}")
    return Handling(safe_state=True, restart=wanted, back_to=back_to)


def joined(due: Handling, handling: Handling) -> Handling:
    """What is to be done about an exception, and what is still due for those before it; nobody is a person here."""
    back_to = Mark.GOOD if Mark.GOOD in {due.back_to, handling.back_to} else Mark.SLICE
    return Handling(due.safe_state or handling.safe_state, due.restart or handling.restart, back_to)


def _person(exception: ActionException, recent: int, past: int, settings: HandlingSettings) -> str:
    if not exception.stopped:
        return "make sure that the robot stands still, then find out why it could not be stopped"
    if exception.acknowledge or exception.severity is Severity.CRITICAL:
        return "look at the robot and remove the cause"
    if recent >= settings.per_window:
        return (
            f"this is exception {recent + 1} within {settings.window:g} s and {settings.per_window} are allowed: "
            "find the cause before the next task"
        )
    if past >= settings.per_task:
        return f"this is exception {past + 1} of the task and {settings.per_task} are allowed: find the cause first"
    return ""


def _restart(exception: ActionException, recent: Sequence[ActionException], settings: HandlingSettings) -> bool:
    if exception.kind in _NEVER_RESTARTED:
        return False
    if exception.kind is ExceptionKind.COLLISION:
        return True
    alike = 1 + sum(past.kind is exception.kind for past in recent)
    return exception.severity is Severity.SERIOUS and alike >= settings.restart_after
