"""Plans no arm of this profile can follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.exception.plan import MotionPlan
from ams_ros.exception.rule import JointRule, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence, ExceptionKind, Float64Array, Severity


@dataclass(frozen=True, slots=True)
class UnreachableTargetSettings:
    """Thresholds of unreachable_target."""

    beyond: float = limit(0.02, "rad", 0.0, 1.0, "by which a target may lie beyond a joint limit")
    behind: float = limit(
        0.2,
        "rad",
        0.001,
        10.0,
        "by which a joint at its top speed may fall behind the plan",
        source="simulated WidowX: its policy asks for single steps too fast, up to 0.09 behind, and catches up",
    )

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        check_limits(self, "unreachable_target")


class UnreachableTarget(JointRule):
    """Judges a plan when it comes under execution and speaks at the next sample or tick.

    Its first step counts from the pose at its begin. Targets outside the limits that lead back inside them, row by row,
    are allowed: an arm pushed beyond a limit has to come back somehow.
    """

    name = "unreachable_target"
    kind = ExceptionKind.UNREACHABLE
    severity = Severity.SERIOUS
    Settings = UnreachableTargetSettings

    def __init__(self, settings: UnreachableTargetSettings, robot: WatchedRobot) -> None:
        """No plan yet."""
        super().__init__(settings, robot)
        profile = robot.profile
        self._lower, self._upper, self._velocity = profile.lower, profile.upper, profile.velocity
        self._fault: tuple[str, Evidence] | None = None

    def begin(self, state: RobotState) -> None:
        """Look at the whole plan."""
        self._fault, self.margin = None, 0.0
        if state.plan is not None:
            # Where the plan began is known only while it begins.
            at_begin = state.joint_samples > 0 and state.elapsed == 0.0
            start = state.position[None] if at_begin else state.plan.joints[:1]
            rows = np.vstack((start, state.plan.joints))
            with np.errstate(over="ignore"):
                self._fault = self._beyond_limits(rows, state.caution) or self._too_fast(
                    rows, state.plan, state.caution
                )

    def joints(self, state: RobotState) -> Violation | None:
        """Say what was found."""
        return self._say(state)

    def tick(self, state: RobotState, now: float) -> Violation | None:
        """Say what was found; joint samples may be slow."""
        return self._say(state)

    def _say(self, state: RobotState) -> Violation | None:
        if self._fault is None:
            return None
        message, evidence = self._fault
        return self.violation(state, message, evidence)

    def _beyond_limits(self, rows: Float64Array, caution: float) -> tuple[str, Evidence] | None:
        out = np.maximum(rows - self._upper, self._lower - rows)
        allowed = np.maximum(out[:-1], self.settings.beyond * caution)
        bad = np.argwhere(out[1:] > allowed)
        if not len(bad):
            return None
        step, joint = (int(index) for index in bad[0])
        target, spec = float(rows[step + 1, joint]), self.robot.profile.joints[joint]
        bound = spec.upper if target > spec.upper else spec.lower
        return (
            f"step {step} wants {spec.name} at {target:.3f} rad, beyond its limit of {bound:.3f} rad",
            Evidence(f"{spec.name} target", target, bound, "rad"),
        )

    def _too_fast(self, rows: Float64Array, plan: MotionPlan, caution: float) -> tuple[str, Evidence] | None:
        """A step faster than the arm does no harm when the next ones leave the time to catch up."""
        step, joint, behind = self._falls_behind(rows, plan.period)
        most = self.settings.behind * caution
        self.margin = behind / most
        if self.margin <= 1.0:
            return None
        spec = self.robot.profile.joints[joint]
        return (
            f"step {step} needs {spec.name} {behind:.2f} rad further than it gets at {spec.velocity:.2f} rad/s",
            Evidence(f"{spec.name} behind the plan", behind, most, "rad"),
        )

    def _falls_behind(self, rows: Float64Array, period: float) -> tuple[int, int, float]:
        """Which step finds which joint furthest behind, rad, if all go after the plan at their top speed."""
        reach = self._velocity * period
        if (np.abs(np.diff(rows, axis=0)) <= reach).all():
            return 0, 0, 0.0
        left = np.empty((len(rows) - 1, len(reach)))
        place = rows[0]
        for step, row in enumerate(rows[1:]):
            place = place + np.clip(row - place, -reach, reach)
            left[step] = np.abs(row - place)
        step, joint = (int(index) for index in np.unravel_index(int(left.argmax()), left.shape))
        return step, joint, float(left[step, joint])
