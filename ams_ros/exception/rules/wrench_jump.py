"""Collision (#1): the force at the wrist changes faster than work makes it change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ams_ros.exception.persistence import Recurrence
from ams_ros.exception.rule import Violation, WatchedRobot, WrenchRule
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.exception.wrench_compensation import WrenchCompensation
from ams_ros.types import Evidence, ExceptionKind, Severity


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
    payload: float = limit(0.25, "kg", 0.0, 100.0, "heaviest load that is taken as carried")

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, WrenchJump.name)


class WrenchJump(WrenchRule):
    """Compares the external force and torque with their own recent past, a low-pass of themselves.

    A few samples within a window rather than one or a run: a lone spike is the sensor's, while what strikes an arm
    makes it ring about the old value.
    """

    name = "wrench_jump"
    kind = ExceptionKind.COLLISION
    severity = Severity.SERIOUS
    Settings = WrenchJumpSettings

    def __init__(self, settings: WrenchJumpSettings, robot: WatchedRobot) -> None:
        """settings: thresholds in the units of the sensor."""
        super().__init__(settings, robot)
        self._compensation = WrenchCompensation(robot, 0.0, settings.payload)
        self._recurrence = Recurrence(settings.samples, settings.window)
        self._past, self._stamp = [0.0] * 6, -math.inf
        self._force, self._torque = 0.0, 0.0

    @property
    def debounce(self) -> Recurrence:
        """See `Rule`."""
        return self._recurrence

    def compared(self) -> Mapping[str, Sequence[float]]:
        """See `Rule`."""
        return {"force": (self._force,), "torque": (self._torque,)}

    @property
    def degraded(self) -> str:
        """What this rule does without; empty when nothing."""
        return self._compensation.degraded

    def reset(self) -> None:
        """Forget the past, but not the sensor's offset."""
        self._compensation.reset()
        self._recurrence.clear()
        self._past, self._stamp, self.margin = [0.0] * 6, -math.inf, 0.0
        self._force, self._torque = 0.0, 0.0

    def wrench(self, state: RobotState) -> Violation | None:
        """Compare with the recent past."""
        step, self._stamp = max(0.0, state.stamp - self._stamp), state.stamp
        if not self._compensation.update(state):
            return None
        x, y, z, u, v, w = self._changes(step if math.isfinite(step) else 0.0)
        force, torque = math.hypot(x, y, z), math.hypot(u, v, w)
        self._force, self._torque = force, torque
        force_limit, torque_limit = self.settings.force * state.caution, self.settings.torque * state.caution
        self.margin = max(force / force_limit, torque / torque_limit)
        if self.margin <= 1.0 or not self._recurrence.seen(state.stamp):
            return None
        return self.violation(
            state,
            "something struck the gripper",
            Evidence("force_change", force, force_limit, "N"),
            Evidence("torque_change", torque, torque_limit, "N m"),
        )

    def _changes(self, step: float) -> list[float]:
        """The difference to the past, which then moves on by `step` s. It begins at the offset: nothing touched."""
        share = step / (step + self.settings.memory)
        past, changes = self._past, [0.0] * 6
        for axis, value in enumerate(self._compensation.external):
            changes[axis] = value - past[axis]
            past[axis] += share * changes[axis]
        return changes
