"""The quantities a condition may name, in one table: unit, meaning, and what the robot must have for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ams_ros.exception.conditions.readings import UNKNOWN, Readings
from ams_ros.exception.rule import Need
from ams_ros.robot.profile import RobotProfile

Read = Callable[[Readings], float]


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something a condition can be about.

    unit: SI, empty for none. read: its value now, NaN while it is unknown. flag: whether it is true (1) or false (0).
    per_sub_slice: whether it is known at the ends of sub-slices only. compensated: whether it takes the wrench
    without the sensor's offset and the gripper's weight. detail: more about its value, for messages.
    """

    name: str
    unit: str
    text: str
    read: Read
    needs: frozenset[Need] = frozenset()
    flag: bool = False
    per_sub_slice: bool = False
    compensated: bool = False
    detail: Callable[[Readings], str] | None = None


def quantities(profile: RobotProfile) -> dict[str, Quantity]:
    """Every quantity of that robot by its name."""
    groups = (_joints(profile), _arm(), _gripper(), _wrench(), _tip(), _plan())
    return {quantity.name: quantity for group in groups for quantity in group}


def _joints(profile: RobotProfile) -> Iterator[Quantity]:
    for index, joint in enumerate(profile.joint_names):
        yield Quantity(f"joint.{joint}.position", "rad", "its angle", _at(index, "position"))
        yield Quantity(f"joint.{joint}.velocity", "rad/s", "its speed, signed", _at(index, "velocity"))
        yield Quantity(
            f"joint.{joint}.effort", "N m", "its torque", _at(index, "effort"), needs=frozenset({Need.EFFORT})
        )
        yield Quantity(
            f"joint.{joint}.effect",
            "",
            "the part of its planned motion it made in the sub-slice",
            _effect_of(index),
            per_sub_slice=True,
        )


def _at(index: int, array: str) -> Read:
    return lambda readings: float(getattr(readings.state, array)[index])


def _effect_of(index: int) -> Read:
    return lambda readings: float(readings.effect[index])


def _smallest_effect(readings: Readings) -> float:
    effect = readings.effect
    return UNKNOWN if np.isnan(effect).all() else float(np.nanmin(effect))


def _arm() -> Iterator[Quantity]:
    yield Quantity(
        "joints.speed", "rad/s", "of the fastest joint", lambda readings: float(np.abs(readings.state.velocity).max())
    )
    yield Quantity(
        "joints.effect",
        "",
        "smallest part of its planned motion that a joint made in the sub-slice",
        _smallest_effect,
        per_sub_slice=True,
        detail=lambda readings: readings.effect_text,
    )
    yield Quantity(
        "actuators.speed",
        "",
        "of the fastest joint or the fingers, as a part of its own top speed",
        lambda readings: readings.actuator_speed,
    )


def _gripper() -> Iterator[Quantity]:
    measured = frozenset({Need.GRIPPER})
    yield Quantity("gripper.position", "m", "of a finger", lambda readings: readings.state.gripper, measured)
    yield Quantity(
        "gripper.gap",
        "m",
        "between the fingers beyond their closed stop",
        lambda readings: readings.gap(readings.state.gripper),
        measured,
    )
    yield Quantity(
        "gripper.speed", "m/s", "of a finger, unsigned", lambda readings: abs(readings.state.gripper_velocity), measured
    )
    yield Quantity(
        "gripper.effort",
        "N",
        "of the fingers' drive",
        lambda readings: readings.state.gripper_effort,
        measured | {Need.EFFORT},
    )
    yield Quantity(
        "gripper.commanded_gap",
        "m",
        "the gap an announced plan asked for last",
        lambda readings: readings.gap(readings.commanded),
    )


def _wrench() -> Iterator[Quantity]:
    sensor = frozenset({Need.WRENCH})
    for name, unit, array in (("force", "N", "force"), ("torque", "N m", "torque")):
        yield Quantity(f"wrench.{name}", unit, "its size as measured, gravity included", _size(array), sensor)
        for index, axis in enumerate("xyz"):
            yield Quantity(
                f"wrench.{name}.{axis}", unit, f"along {axis} of the sensor, as measured", _axis(array, index), sensor
            )
    yield Quantity(
        "wrench.external_force",
        "N",
        "its size without the sensor's offset and the gripper's weight",
        lambda readings: readings.external_force,
        sensor,
        compensated=True,
    )


def _size(array: str) -> Read:
    def read(readings: Readings) -> float:
        state = readings.state
        return UNKNOWN if state.wrench_arrival == -np.inf else float(np.linalg.norm(getattr(state, array)))

    return read


def _axis(array: str, index: int) -> Read:
    def read(readings: Readings) -> float:
        state = readings.state
        return UNKNOWN if state.wrench_arrival == -np.inf else float(getattr(state, array)[index])

    return read


def _tip() -> Iterator[Quantity]:
    for index, axis in enumerate("xyz"):
        yield Quantity(f"tip.{axis}", "m", f"of the tip along {axis} of the base", _place(index))
    yield Quantity("tip.speed", "m/s", "of the tip", lambda readings: readings.tip_speed)
    yield Quantity(
        "tip.effect",
        "",
        "the part of its planned motion the tip made in the sub-slice",
        lambda readings: readings.tip_effect,
        per_sub_slice=True,
    )


def _place(index: int) -> Read:
    return lambda readings: readings.tip(index)


def _plan() -> Iterator[Quantity]:
    yield Quantity("executing", "", "anything is under execution", lambda readings: readings.state.executing, flag=True)
    yield Quantity("since_end", "s", "since execution ended", lambda readings: readings.since_end)
    yield Quantity("elapsed", "s", "since the announced plan began", _of_plan(lambda readings: readings.state.elapsed))
    yield Quantity("plan.gripper", "m", "finger target", _of_plan(_target))
    yield Quantity(
        "plan.closing",
        "",
        "the plan closes the fingers",
        _of_plan(lambda readings: readings.plan_gripper_change < 0),
        flag=True,
    )
    yield Quantity(
        "plan.opening",
        "",
        "the plan opens the fingers",
        _of_plan(lambda readings: readings.plan_gripper_change > 0),
        flag=True,
    )
    yield Quantity(
        "plan.recovery", "", "the plan is a recovery", _of_plan(lambda readings: readings.recovering), flag=True
    )
    yield Quantity("plan.step", "", "step of the slice under way, from 0", _of_plan(_step))
    yield Quantity(
        "plan.sub_slice",
        "",
        "sub-slice of the plan under way, from 0",
        _of_plan(lambda readings: readings.state.sub_slice),
    )
    yield Quantity("plan.slice", "", "number of the slice in the task, from 0", _of_plan(_slice))


def _of_plan(read: Read) -> Read:
    return lambda readings: UNKNOWN if readings.state.plan is None else read(readings)


def _target(readings: Readings) -> float:
    return readings.state.plan.gripper if readings.state.plan is not None else UNKNOWN


def _step(readings: Readings) -> float:
    state = readings.state
    return UNKNOWN if state.plan is None or state.step < 0 else state.plan.first_step + state.step


def _slice(readings: Readings) -> float:
    plan = readings.state.plan
    return UNKNOWN if plan is None or plan.slice < 0 else plan.slice
