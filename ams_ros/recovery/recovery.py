"""From an exception back to a robot that can go on (spec rows E4-E6; paper, section 3.3.2)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ams_ros.errors import ConfigurationError, PlanningError, RobotError
from ams_ros.recovery.atom_buffer import AtomBuffer, AtomSettings, Mark
from ams_ros.recovery.handling import Handling, HandlingSettings, RestartAbility, decide, joined
from ams_ros.recovery.planner import CollisionChecker, PlannedMotion, Planner
from ams_ros.recovery.rollback import Rollback, RollbackSettings
from ams_ros.recovery.wording import lifting, told
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import RobotProfile
from ams_ros.robot.recoverable import RecoverableRobot
from ams_ros.robot.stop_request import StopRequest
from ams_ros.types import ActionException, ExceptionKind, Float64Array

_LOOK_AGAIN = 0.05
"""s between two looks for joint states that do not come."""

_HELD = "The robot holds still where it is. A person must look at it and remove the cause"
_UNSURE = "Nothing more is moved, but whether the robot stands still is not known: keep clear until you have seen it"


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """Of the parts, and of the planned motion to the safe pose.

    scale: of the profile's limits. plan_timeout: s for finding a way. joints_wait: s joint states are waited for.
    reached: rad any joint may be away from a motion's goal after it.
    """

    atoms: AtomSettings = field(default_factory=AtomSettings)
    rollback: RollbackSettings = field(default_factory=RollbackSettings)
    handling: HandlingSettings = field(default_factory=HandlingSettings)
    scale: float = 0.3
    plan_timeout: float = 3.0
    joints_wait: float = 5.0
    reached: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what could never be met."""
        allowed = {"scale": 1.0, "plan_timeout": 60.0, "joints_wait": 60.0, "reached": 1.0}
        for key, most in allowed.items():
            value = getattr(self, key)
            if not 0.0 < value <= most:
                raise ConfigurationError(f"recovery.{key}", value, f"above 0 and at most {most:g}")


class Recovery:
    """Handles the exceptions of one robot, one task at a time.

    What resuming means: the slice that was broken off is discarded, with every step not yet run; the steps that were
    run count against the task's budget. After `handle` the robot stands still at a good pose (after a software
    exception: where it was stopped), its fingers as they were. The next slice is inferred from scratch on a fresh
    observation. Nothing of the old slice is taken up again.

    A recovery motion is watched by the monitor at reduced thresholds like any other, and may itself be stopped: what
    comes after a rollback is a planned way to the profile's safe pose, and after that a person. An exception that comes
    up while none is run is decided about in its turn, and what was still due for those before it stays due; no stop is
    released that was not decided about. Every wait is bounded
    by the robot, the planner or the settings. Once `stop` is requested nothing new is begun. However it fails, the stop
    stays in force: the monitor lets nothing move the robot until a person has acknowledged where the exception asks for
    that, else until the next task.
    """

    def __init__(
        self,
        robot: RecoverableRobot,
        planner: Planner,
        checker: CollisionChecker,
        profile: RobotProfile,
        driver: DriverProfile,
        *,
        settings: RecoverySettings | None = None,
    ) -> None:
        """Listen to the robot's joints from now on; make one for the lifetime of `robot`."""
        self._robot, self._planner, self._profile = robot, planner, profile
        self._settings = settings or RecoverySettings()
        self._restart = RestartAbility(bool(driver.restart), driver.by_hand)
        self._buffer = AtomBuffer(ArmDynamics(profile), self._settings.atoms)
        self._rollback = Rollback(self._buffer, ArmDynamics(profile), checker, self._settings.rollback)
        self._history: list[ActionException] = []
        self._released: ActionException | None = None
        self._broken_off = False
        self._due = Handling()
        self._further = 0
        robot.listen(self._buffer.take)

    @property
    def further(self) -> int:
        """Exceptions that came up during the last `handle`, besides the one it was called with."""
        return self._further

    def begin_task(self) -> None:
        """Forget the task before; the present pose is good. Raises RobotError without joint states."""
        self._history = []
        self._buffer.begin(self._robot.joints())
        self._buffer.mark(Mark.GOOD)
        self._broken_off = False

    def slice_began(self) -> None:
        """A slice is about to be executed from the present pose."""
        if not self._broken_off:
            self._buffer.move_mark(Mark.GOOD, Mark.SLICE)
        self._buffer.mark(Mark.SLICE)
        self._broken_off = False

    def handle(self, exception: ActionException, stop: StopRequest) -> str | None:
        """Bring the robot to where inference can begin afresh.

        Returns None then, else why the task ends here with the robot holding still, and what a person must do. Raises
        RobotError saying the same when it is not known whether the robot holds still.
        """
        self._broken_off, self._released, self._further = True, None, 0
        self._due = Handling()
        try:
            self._settle(exception, stop)
        except _Ended as end:
            last = self._history[-1]
            text = f"{told(last)}; {end}; {lifting(last)}"
            if not last.stopped:
                raise RobotError(text) from end
            return text
        except RobotError as error:
            last = self._history[-1]
            raise RobotError(f"{told(last)}; recovery failed: {error}. {_UNSURE}; {lifting(last)}") from error
        return None

    def _decide(self, exception: ActionException) -> Handling:
        handling = decide(exception, self._history, self._restart, self._settings.handling)
        self._history.append(exception)
        if handling.person:
            raise _Ended(f"nothing is moved. A person must now: {handling.person}")
        return handling

    def _settle(self, exception: ActionException, stop: StopRequest) -> None:
        """Handle `exception` and what comes up meanwhile, which `_decide` bounds."""
        newest = exception
        while True:
            self._due = joined(self._due, self._decide(newest))
            try:
                if self._due.safe_state:
                    self._bring_back(self._due.back_to, stop)
                    self._due = Handling()
                _check(stop)
                self._release(recovery=False)
            except _Newer as newer:
                self._further += 1
                newest = newer.exception
            else:
                return

    def _release(self, *, recovery: bool) -> None:
        try:
            newer = self._robot.release(self._history[-1], recovery=recovery)
        except RobotError as error:
            raise _Ended(f"its stop could not be released: {error}. {_HELD}") from error
        if newer is not None:
            raise _Newer(newer)

    def _bring_back(self, back_to: Mark, stop: StopRequest) -> None:
        why_not = self._safe_state(back_to, stop)
        if self._due.restart:
            _check(stop)
            self._robot.restart(stop)
            self._due = replace(self._due, restart=False)
            if why_not:
                # An arm that refused to move because of what happened may move now.
                why_not = self._safe_state(back_to, stop)
        if why_not:
            raise _Ended(f"no safe state could be reached: {why_not}. {_HELD}")

    def _safe_state(self, back_to: Mark, stop: StopRequest) -> str:
        """Go back, else to the safe pose; returns why neither was reached, empty when one was."""
        reasons = []
        for way in (partial(self._way_back, back_to), self._way_to_safe_pose):
            _check(stop)
            try:
                motion = way(self._now(stop))
            except PlanningError as error:
                reasons.append(str(error))
                continue
            why_not = self._follow(motion, stop)
            if not why_not:
                return ""
            reasons.append(why_not)
        return "; ".join(reasons)

    def _way_back(self, back_to: Mark, now: Float64Array) -> PlannedMotion:
        contact = self._history[-1].kind is ExceptionKind.COLLISION
        reasons = []
        for mark in (Mark.SLICE, Mark.GOOD) if back_to is Mark.SLICE else (Mark.GOOD,):
            try:
                return self._rollback.plan(now, mark, contact)
            except PlanningError as error:
                reasons.append(str(error))
        raise PlanningError("; ".join(reasons))

    def _way_to_safe_pose(self, now: Float64Array) -> PlannedMotion:
        settings = self._settings
        return self._planner.plan(now, self._profile.safe, settings.scale, settings.plan_timeout)

    def _follow(self, motion: PlannedMotion, stop: StopRequest) -> str:
        """Run a recovery motion; returns why its goal was not reached, empty when it was."""
        _check(stop)
        if self._released is not self._history[-1]:
            self._release(recovery=True)
            self._released = self._history[-1]
        execution = self._robot.follow(motion.joints, motion.period, stop)
        if execution.exception is not None:
            self._further += 1
            handling = self._decide(execution.exception)
            self._due = replace(self._due, restart=self._due.restart or handling.restart)
            return f"the way was stopped: {execution.exception.message}"
        _check(stop)
        if not execution.completed:
            return f"the way was broken off: {execution.message}"
        away = float(np.abs(self._now(stop) - motion.joints[-1]).max())
        if away > self._settings.reached:
            return f"the way ended {away:.3f} rad from its goal"
        return ""

    def _now(self, stop: StopRequest) -> Float64Array:
        """(dof,) rad, measured; a robot that was restarted or silent is given time to report."""
        looks = max(1, round(self._settings.joints_wait / _LOOK_AGAIN))
        while True:
            try:
                return self._measured()
            except RobotError as error:
                looks -= 1
                if not looks:
                    raise _Ended(f"where the arm is, is not known: {error}. {_HELD}") from error
            stop.wait(_LOOK_AGAIN)
            _check(stop)

    def _measured(self) -> Float64Array:
        dof = len(self._profile.joints)
        position = np.array(self._robot.joints().position[:dof], dtype=np.float64)
        if position.shape != (dof,) or not np.isfinite(position).all():
            raise RobotError(f"joint states {position.tolist()}, expected {dof} finite angles")
        return position


class _Ended(Exception):
    """Recovery goes no further; the text says how the robot stands and what a person must do."""


class _Newer(Exception):
    """Another exception is in force than the one that was decided about."""

    def __init__(self, exception: ActionException) -> None:
        super().__init__(exception.message)
        self.exception = exception


def _check(stop: StopRequest) -> None:
    if stop.requested:
        raise _Ended(f"recovery was broken off: {stop.reason}. {_HELD}")
