"""Between the messages of a task and its records."""

from __future__ import annotations

import uuid

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from ams_ros.action import RunTask
from ams_ros.context.records import check_identifier
from ams_ros.errors import ConfigurationError
from ams_ros.msg import TaskEvent as TaskEventMessage
from ams_ros.msg import TaskState
from ams_ros.nodes.conversions import guidance_of, reuse_message, reuse_of
from ams_ros.supervision.task_loop import parse_mode
from ams_ros.types import EventKind, Mode, Phase, TaskEvent, TaskRequest, TaskResult, TaskStatus

MOST_JOBS = 1000
"""Of one task; more is a slip of the finger, as no table holds them."""

_RESULT_FIELDS = ("message", "steps", "inferences", "exceptions", "replays", "seconds", "policy_seconds")
_STATUS_FIELDS = ("step", "slice", "exceptions", "replays", "jobs")
_EVENT_FIELDS = ("seconds", "step", "attempt", "slice", "message", "episode", "context_id")


def task_request_of(wanted: RunTask.Goal) -> TaskRequest:
    """The task a goal asks for; raises ConfigurationError for a wish that cannot be granted."""
    if wanted.step_budget < 1:
        raise ConfigurationError("step_budget", wanted.step_budget, "an integer of at least 1")
    if wanted.jobs > MOST_JOBS:
        raise ConfigurationError("jobs", wanted.jobs, f"0 for not known, or 1 to {MOST_JOBS}")
    mode, guidance = parse_mode(wanted.mode), guidance_of(wanted.guidance)
    if not mode.pooled:
        for key, value in (("episode", wanted.episode), ("guidance", wanted.guidance.reference)):
            if value:
                pooled = ", ".join(each.value for each in Mode if each.pooled)
                raise ConfigurationError(key, value, f"empty in mode {mode.value}: only {pooled} use the pool")
    if (guidance is None) != (wanted.guided_slices == 0):
        raise ConfigurationError(
            "guided_slices", wanted.guided_slices, "at least 1 with a guidance reference, 0 without one"
        )
    episode = wanted.episode
    if mode.pooled:
        episode = check_identifier("episode", episode) if episode else f"task-{uuid.uuid4().hex[:16]}"
    return TaskRequest(
        instruction=wanted.instruction,
        mode=mode,
        step_budget=wanted.step_budget,
        seed=wanted.seed,
        episode=episode,
        guidance=guidance,
        guided_slices=wanted.guided_slices,
        task=wanted.task,
        jobs=wanted.jobs,
    )


def result_message(result: TaskResult, episode: str) -> RunTask.Result:
    """How a task went. episode: id under which the pool keeps its contexts."""
    fields = {name: getattr(result, name) for name in _RESULT_FIELDS}
    return RunTask.Result(**fields, outcome=result.outcome.value, episode=episode, job_steps=list(result.job_steps))


def feedback_message(status: TaskStatus) -> RunTask.Feedback:
    """Where a task stands, for the client that asked for it."""
    return RunTask.Feedback(phase=status.phase.value, **{name: getattr(status, name) for name in _STATUS_FIELDS})


def status_of(message: RunTask.Feedback) -> TaskStatus:
    """Where a task stands; raises ConfigurationError for a phase that does not exist."""
    try:
        phase = Phase(message.phase)
    except ValueError:
        raise ConfigurationError("phase", message.phase, ", ".join(each.value for each in Phase)) from None
    return TaskStatus(phase, **{name: getattr(message, name) for name in _STATUS_FIELDS})


def state_message(status: TaskStatus, instruction: str, stamp: Time) -> TaskState:
    """Where the supervisor stands, for everybody."""
    return TaskState(
        header=Header(stamp=stamp),
        running=status.phase is not Phase.ENDED,
        instruction=instruction,
        phase=status.phase.value,
        **{name: getattr(status, name) for name in _STATUS_FIELDS},
    )


def event_message(event: TaskEvent, stamp: Time) -> TaskEventMessage:
    """A line of a task's timeline."""
    told = {} if event.reuse is None else {"reuse": reuse_message(event.reuse)}
    fields = {name: getattr(event, name) for name in _EVENT_FIELDS}
    return TaskEventMessage(header=Header(stamp=stamp), kind=event.kind.value, **fields, **told)


def event_of(message: TaskEventMessage) -> TaskEvent:
    """The line a message tells of; raises ConfigurationError for a kind that does not exist."""
    try:
        kind = EventKind(message.kind)
    except ValueError:
        raise ConfigurationError("kind of event", message.kind, ", ".join(each.value for each in EventKind)) from None
    # A slice always says what became of the pool; the other kinds carry an empty report.
    reuse = reuse_of(message.reuse) if message.reuse.pool else None
    return TaskEvent(kind, **{name: getattr(message, name) for name in _EVENT_FIELDS}, reuse=reuse)
