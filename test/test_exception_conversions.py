"""Messages of the action exception to records and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ams_ros.msg import ActionException as ActionExceptionMessage
from builtin_interfaces.msg import Time

from ams_ros.errors import ConfigurationError
from ams_ros.exception.plan import MotionPlan, Purpose
from ams_ros.nodes.exception_conversions import (
    exception_message,
    exception_of,
    goal_message,
    goal_of,
    plan_message,
    plan_of,
)
from ams_ros.types import ActionException, Evidence, ExceptionKind, Severity, StopStage

JOINTS = ("waist", "shoulder")
GOAL = "00112233445566778899aabbccddeeff"


def a_plan(**changes):
    fields = {
        "goal": GOAL,
        "context_id": "c",
        "slice": 3,
        "first_step": 2,
        "joints": np.arange(8.0).reshape(4, 2),
        "gripper": 0.03,
        "previous_gripper": math.nan,
        "period": 0.1,
        "sub_slices": (2, 4),
        "purpose": Purpose.TASK,
    }
    return MotionPlan(**{**fields, **changes})


def a_plan_message(**changes):
    message = plan_message(a_plan(), JOINTS, Time())
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_an_exception_survives_the_way_through_its_message():
    exception = ActionException(
        number=7,
        stamp=12.5,
        kind=ExceptionKind.MOMENTUM,
        severity=Severity.CRITICAL,
        rule="angular_momentum",
        message="too fast",
        evidence=(Evidence("angular momentum", 3.5, 2.0, "kg m^2/s"), Evidence("samples", math.inf, 1.0)),
        goal=GOAL,
        context_id="c",
        slice=2,
        sub_slice=1,
        step=4,
        acted=False,
        stage=StopStage.DRIVER_STOP,
        stopped=True,
        acknowledge=True,
        detection_seconds=0.001,
        acknowledge_seconds=0.01,
        rest_seconds=0.2,
    )
    assert exception_of(exception_message(exception)) == exception


def test_an_exception_that_came_before_the_first_sample_can_be_told():
    exception = ActionException(1, -math.inf, ExceptionKind.CONDITION, Severity.SERIOUS, "node_death", "it ended")
    assert exception_of(exception_message(exception)).stamp == 0.0


def test_a_plan_survives_the_way_through_its_message():
    plan = a_plan(purpose=Purpose.RECOVERY)
    back = plan_of(plan_message(plan, JOINTS, Time()), JOINTS)
    assert np.array_equal(back.joints, plan.joints)
    assert math.isnan(back.previous_gripper)
    for name in ("goal", "context_id", "slice", "first_step", "gripper", "period", "sub_slices", "purpose"):
        assert getattr(back, name) == getattr(plan, name)


def test_a_goal_id_survives_the_way_through_its_message():
    assert goal_of(goal_message(GOAL)) == GOAL


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"joint_names": ["shoulder", "waist"]}, ["joints", "waist, shoulder"]),
        ({"joint_names": []}, ["joints", "waist, shoulder"]),
        ({"positions": [0.0] * 7}, ["positions", "7", "multiple of 2"]),
        ({"positions": []}, ["positions", "0"]),
        ({"positions": [0.0] * 2 * 5001}, ["steps", "5001", "at most 5000"]),
        ({"first_step": 2**32 - 1}, ["first_step", "at most"]),
        ({"positions": [0.0] * 7 + [math.nan]}, ["finite"]),
        ({"positions": [0.0] * 7 + [math.inf]}, ["finite"]),
        ({"gripper": math.inf}, ["gripper", "inf"]),
        ({"slice": -2}, ["slice", "-2"]),
        ({"purpose": "fun"}, ["purpose", "fun", "task, recovery"]),
        ({"goal": "no goal"}, ["goal", "no goal", "32 hex digits"]),
        ({"goal": ""}, ["goal", "32 hex digits"]),
        ({"sub_slices": [2, 2, 4]}, ["sub-slices", "rising"]),
        ({"sub_slices": [2, 5]}, ["sub-slices", "rising to 4"]),
        ({"sub_slices": []}, ["sub-slices"]),
        ({"sub_slices": [1, 2, 3, 4, 5]}, ["sub-slices", "5", "4 steps"]),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_naming_what_does_not(changes, words):
    with pytest.raises(ConfigurationError) as error:
        plan_of(a_plan_message(**changes), JOINTS)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_plan_whose_steps_take_no_time_is_refused(seconds):
    message = a_plan_message()
    message.period.sec, message.period.nanosec = seconds, 0
    with pytest.raises(ConfigurationError, match="period"):
        plan_of(message, JOINTS)


@pytest.mark.parametrize("name", ["kind", "severity", "stage"])
def test_an_exception_with_an_unknown_word_is_refused_naming_it(name):
    message = ActionExceptionMessage(kind=1, severity="minor", stage="none")
    setattr(message, name, 99 if name == "kind" else "whatever")
    with pytest.raises(ConfigurationError, match=f"exception {name}"):
        exception_of(message)
