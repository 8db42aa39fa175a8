"""Between the messages of the action exception and its records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import TypeVar

import numpy as np
from builtin_interfaces.msg import Time
from std_msgs.msg import Header
from unique_identifier_msgs.msg import UUID

from ams_ros.errors import ConfigurationError
from ams_ros.exception.plan import MotionPlan, Purpose
from ams_ros.msg import ActionException as ActionExceptionMessage
from ams_ros.msg import Evidence as EvidenceMessage
from ams_ros.msg import MonitorState as MonitorStateMessage
from ams_ros.msg import MotionPlan as MotionPlanMessage
from ams_ros.nodes.conversions import seconds_of, to_duration, to_time
from ams_ros.types import ActionException, Evidence, ExceptionKind, Severity, StopStage

_Word = TypeVar("_Word", bound=Enum)
_MOST_STEPS = 5000
"""Of one plan: 100 s of a recovery, whose steps are the shortest. Looking at them all must not keep the next sample
waiting."""

_MOST_BEFORE = 1_000_000
"""Steps of a slice before a plan."""

_GOAL = re.compile(r"[0-9a-f]{32}")

# The fields that message and record share by name, type and meaning.
_ALIKE = (
    "number",
    "rule",
    "message",
    "goal",
    "context_id",
    "slice",
    "sub_slice",
    "step",
    "acted",
    "stopped",
    "acknowledge",
    "detection_seconds",
    "acknowledge_seconds",
    "rest_seconds",
)


def goal_of(message: UUID) -> str:
    """The id of a goal as 32 hex digits."""
    return bytes(message.uuid).hex()


def goal_message(goal: str) -> UUID:
    """The id that 32 hex digits stand for; raises ConfigurationError for anything else."""
    return UUID(uuid=np.frombuffer(bytes.fromhex(_checked_goal(goal)), np.uint8))


def exception_message(exception: ActionException) -> ActionExceptionMessage:
    """An exception as a message."""
    return ActionExceptionMessage(
        # Before the first sample there is no stamp; a reason to stop may come from elsewhere all the same.
        header=Header(stamp=to_time(exception.stamp if np.isfinite(exception.stamp) else 0.0)),
        kind=exception.kind.value,
        severity=exception.severity.value,
        stage=exception.stage.value,
        evidence=[
            EvidenceMessage(name=each.name, value=float(each.value), limit=float(each.limit), unit=each.unit)
            for each in exception.evidence
        ],
        **{name: getattr(exception, name) for name in _ALIKE},
    )


def exception_of(message: ActionExceptionMessage) -> ActionException:
    """The exception a message tells of; raises ConfigurationError for a kind, severity or stage that does not exist."""
    return ActionException(
        stamp=seconds_of(message.header.stamp),
        kind=_word("exception kind", ExceptionKind, message.kind),
        severity=_word("exception severity", Severity, message.severity),
        stage=_word("exception stage", StopStage, message.stage),
        evidence=tuple(Evidence(each.name, each.value, each.limit, each.unit) for each in message.evidence),
        **{name: getattr(message, name) for name in _ALIKE},
    )


def plan_message(plan: MotionPlan, joint_names: Sequence[str], stamp: Time) -> MotionPlanMessage:
    """A plan as a message; joint_names: of its columns."""
    return MotionPlanMessage(
        header=Header(stamp=stamp),
        goal=plan.goal,
        purpose=plan.purpose.value,
        context_id=plan.context_id,
        slice=plan.slice,
        first_step=plan.first_step,
        joint_names=list(joint_names),
        positions=plan.joints.ravel().tolist(),
        gripper=plan.gripper,
        previous_gripper=plan.previous_gripper,
        period=to_duration(plan.period),
        sub_slices=list(plan.sub_slices),
    )


def plan_of(message: MotionPlanMessage, joint_names: Sequence[str]) -> MotionPlan:
    """The plan a message tells of; its joints must be `joint_names`, in that order.

    Raises ConfigurationError naming what does not fit.
    """
    if list(message.joint_names) != list(joint_names):
        raise ConfigurationError("joints of the plan", list(message.joint_names), ", ".join(joint_names))
    if not message.positions or len(message.positions) % len(joint_names):
        allowed = f"a positive multiple of {len(joint_names)}, one number for each joint and step"
        raise ConfigurationError("positions of the plan", len(message.positions), allowed)
    steps = len(message.positions) // len(joint_names)
    if steps > _MOST_STEPS:
        raise ConfigurationError("steps of the plan", steps, f"at most {_MOST_STEPS}")
    if len(message.sub_slices) > steps:
        raise ConfigurationError(
            "sub-slices of the plan", len(message.sub_slices), f"at most one for each of {steps} steps"
        )
    if message.first_step > _MOST_BEFORE:
        raise ConfigurationError("first_step of the plan", message.first_step, f"at most {_MOST_BEFORE}")
    for name in ("gripper", "previous_gripper"):
        if np.isinf(getattr(message, name)):
            raise ConfigurationError(f"{name} of the plan", getattr(message, name), "m, or NaN for none")
    if message.slice < -1:
        raise ConfigurationError("slice of the plan", message.slice, "-1 or more")
    purpose = _word("purpose of the plan", Purpose, message.purpose)
    try:
        return MotionPlan(
            goal=_checked_goal(message.goal),
            context_id=message.context_id,
            slice=message.slice,
            first_step=message.first_step,
            joints=np.array(message.positions, dtype=np.float64).reshape(-1, len(joint_names)),
            gripper=message.gripper,
            previous_gripper=message.previous_gripper,
            period=seconds_of(message.period),
            sub_slices=tuple(int(end) for end in message.sub_slices),
            purpose=purpose,
        )
    except ValueError as error:
        raise ConfigurationError("plan", message.goal, str(error)) from error


def state_message(state: str, *, shadow: bool, number: int, message: str, stamp: Time) -> MonitorStateMessage:
    """Where the monitor stands; number: of the exception in force, 0 for none."""
    return MonitorStateMessage(
        header=Header(stamp=stamp), state=state, shadow=shadow, exception=number, message=message
    )


def _checked_goal(goal: str) -> str:
    if not _GOAL.fullmatch(goal):
        raise ConfigurationError("goal", goal, "32 hex digits in lower case")
    return goal


def _word(key: str, kind: type[_Word], value: object) -> _Word:
    try:
        return kind(value)
    except ValueError:
        raise ConfigurationError(key, value, ", ".join(str(each.value) for each in kind)) from None
