"""Collision (#1): the force at the wrist changes faster than work makes it change."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ams_ros.exception.external_wrench import ExternalWrenchRule, payload_limit
from ams_ros.exception.persistence import Recurrence
from ams_ros.exception.rule import Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState


@dataclass(frozen=True, slots=True)
class WrenchJumpSettings:
    """Thresholds of `WrenchJump`."""

    force: float = limit(
        120.0,
        "N",
        0.1,
        10000.0,
        "largest change of the external force",
        source="simulated WidowX: its policy sets the fingers down with up to 110 N",
        learned=True,
    )
    torque: float = limit(
        5.5,
        "N m",
        0.01,
        10000.0,
        "largest change of the external torque",
        source="simulated WidowX: its policy makes up to 4.8 N m",
        learned=True,
    )
    memory: float = limit(
        0.2,
        "s",
        0.02,
        10.0,
        "time constant of what a change is measured against",
        source="UCI Robot Execution Failures, lp1 and lp2",
    )
    samples: int = limit(
        3, "", 1, 20, "samples above the limit that make it count", source="UCI Robot Execution Failures, lp1 and lp2"
    )
    window: float = limit(0.3, "s", 0.001, 5.0, "time within which they have to come")
    payload: float = payload_limit()

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, WrenchJump.name)


class WrenchJump(ExternalWrenchRule):
    """Compares the external force and torque with their own recent past, a low-pass of themselves.

    A few samples within a window rather than one or a run: a lone spike is the sensor's, while what strikes an arm
    makes it ring about the old value.
    """

    name = "wrench_jump"
    Settings = WrenchJumpSettings

    def __init__(self, settings: WrenchJumpSettings, robot: WatchedRobot) -> None:
        """settings: thresholds in the units of the sensor."""
        self._recurrence = Recurrence(settings.samples, settings.window)
        super().__init__(settings, robot, self._recurrence)
        self._past, self._stamp = [0.0] * 6, -math.inf

    def reset(self) -> None:
        """Forget the past, but not the sensor's offset."""
        super().reset()
        self._past, self._stamp = [0.0] * 6, -math.inf

    def wrench(self, state: RobotState) -> Violation | None:
        """Compare with the recent past."""
        step, self._stamp = max(0.0, state.stamp - self._stamp), state.stamp
        if not self._compensation.update(state):
            return None
        self.margin = self._compare(self._changes(step if math.isfinite(step) else 0.0), state.caution)
        if self.margin <= 1.0 or not self._recurrence.seen(state.stamp):
            return None
        return self._exceeded(state, "something struck the gripper", "force_change", "torque_change")

    def _changes(self, step: float) -> list[float]:
        """The difference to the past, which then moves on by `step` s. It begins at the offset: nothing touched."""
        share = step / (step + self.settings.memory)
        past, changes = self._past, [0.0] * 6
        for axis, value in enumerate(self._compensation.external):
            changes[axis] = value - past[axis]
            past[axis] += share * changes[axis]
        return changes
