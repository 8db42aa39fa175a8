"""The robot's clock jumps: stamps leap ahead of the time that passed here, or fall back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.exception.refusal import Refusal, RefusalRule
from ams_ros.exception.rule import Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, ExceptionKind, Severity


@dataclass(frozen=True, slots=True)
class ClockJumpSettings:
    """Thresholds of clock_jump."""

    forward: float = limit(
        0.5, "s", 0.01, 60.0, "by which stamps may leap ahead of the steady clock between two samples"
    )
    back: float = limit(
        0.1, "s", 0.001, 60.0, "by which a stamp may lie before the newest one; less is an invalid sample"
    )

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        check_limits(self, "clock_jump")


class ClockJump(RefusalRule):
    """References and velocities computed over a jump are wrong, so nothing that is watched by them may go on.

    Late samples are no jump: what was held up arrives in a burst, with less time between arrivals than between stamps,
    but never by more than the hold-up that `silence` speaks about.
    """

    name = "clock_jump"
    kind = ExceptionKind.CRASH
    severity = Severity.SERIOUS
    always = True
    Settings = ClockJumpSettings

    def __init__(self, settings: ClockJumpSettings, robot: WatchedRobot) -> None:
        """Nothing has arrived yet."""
        super().__init__(settings, robot)
        self._arrival = -np.inf

    def reset(self) -> None:
        """The next sample is a first one."""
        self._arrival, self.margin = -np.inf, 0.0

    def joints(self, state: RobotState) -> Violation | None:
        """Compare how far stamps and arrivals moved on."""
        ahead = state.period - (state.joints_arrival - self._arrival)
        self._arrival = state.joints_arrival
        self.margin = max(0.0, ahead / self.settings.forward)
        if ahead <= self.settings.forward:
            return None
        return self.violation(
            state,
            f"the robot's clock leapt {ahead:.3g} s ahead",
            Evidence("clock step", ahead, self.settings.forward, "s"),
        )

    def refused(self, state: RobotState, refusal: Refusal) -> Violation | None:
        """Tell a clock set back from a sample that was overtaken."""
        if refusal.backwards <= self.settings.back:
            return None
        self.margin = refusal.backwards / self.settings.back
        return self.violation(
            state,
            f"the robot's clock fell back: {refusal.message}",
            Evidence("clock step", -refusal.backwards, -self.settings.back, "s"),
        )
