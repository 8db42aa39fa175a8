"""The guard: sees a violation, stops the arm in the same call, proves it, and keeps it stopped until it is released."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ams_ros.exception.detector import Detector, RuleFailure
from ams_ros.exception.goal_watch import GoalNews, GoalWatch, start_of_goal
from ams_ros.exception.guard_state import LATCHED, GuardState, state_after, what_next
from ams_ros.exception.plan import MotionPlan, Purpose
from ams_ros.exception.rule import Violation
from ams_ros.exception.sample_intake import Values
from ams_ros.exception.stop_record import JoinedViolations, ended, exception_of, failed, foreign_goal, left_over
from ams_ros.exception.stop_run import StopRun
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.stop_actuator import StopActuator
from ams_ros.robot.stop_ladder import LadderState
from ams_ros.types import ActionException, ExceptionKind, Severity, StopStage

__all__ = ["ExceptionGuard", "GoalNews", "GuardState"]

RETRY_SECONDS = 1.0
"""s after a run that could not prove the stop, until the next one, while something may still move the arm."""


class ExceptionGuard:
    """Detector, stop ladder and latch in one (spec rows E1, E7).

    Of everything that may happen, stopping comes first: what is told about it is put together after the request has
    been handed over. A stop stays in force until it is released or acknowledged; a goal that turns up meanwhile,
    whoever sent it and whenever, is stopped as well. A stop that was not proven is tried again every RETRY_SECONDS
    while a goal is live or the arm is seen moving.

    A violation seen while the arm is being stopped joins the stop under way. One seen while nothing is under execution
    and the arm is at rest is a concern: there is nothing to stop, but a goal that goes live while it stands is.

    A rule or detector that raises stops the arm too, for a person to acknowledge; what it raised is kept in `failure`
    and not raised again, as the ladder needs further calls. Whoever calls ends in error once `failure` is set and
    `state` is not STOPPING any more.

    In shadow mode nothing is handed over; a rule speaks once for each goal. A stop in force stays in force.

    All methods belong to one thread. `now` and arrivals are s on one steady clock, stamps s on the robot's.
    """

    def __init__(
        self,
        detector: Detector,
        driver: DriverProfile,
        actuator: StopActuator,
        report: Callable[[ActionException], None],
        shadow: bool = False,
        *,
        clock: Callable[[], float] = time.monotonic,
        caution: float = 0.7,
        numbered: int = 0,
        in_force: ActionException | None = None,
    ) -> None:
        """report: called once for each exception, when its stop has come to an end.

        clock: what `now` is read from. caution: factor on every limit during recovery motions, above 0, at most 1;
        raises ConfigurationError for another. numbered: how many exceptions there were before. in_force: the one whose
        stop the guard before left in force; if that stop was not proven, a person has to acknowledge it.
        """
        detector.set_caution(caution)
        detector.set_caution(1.0)
        self.shadow = shadow
        self.state = GuardState.WATCHING
        self.exception: ActionException | None = None
        """The one in force; until its stop has come to an end, without its outcome."""
        self.failure: Exception | None = None
        """What a rule, or the detector, raised."""
        self._detector, self._by_hand, self._report = detector, driver.by_hand, report
        self._clock, self._caution = clock, caution
        self._goals = GoalWatch()
        self._run = StopRun(driver, actuator, detector.state, clock)
        self._concerns: dict[str, Violation] = {}
        self._joined: JoinedViolations | None = None
        self.numbered = numbered
        """The number of the last exception."""
        self._reported = False
        self._retry_at = 0.0
        self._executing = ""
        self._shadowed: set[str] = set()
        if in_force is not None:
            self.exception, self._joined = left_over(in_force), JoinedViolations(in_force)
            self.state, self._reported = state_after(self.exception), True

    @property
    def concern(self) -> str:
        """Why a goal that goes live now would be stopped at once; empty when it would not."""
        return "; ".join(f"{each.rule}: {each.message}" for each in self._concerns.values())

    @property
    def message(self) -> str:
        """What must happen next, for a person; empty while watching."""
        return what_next(self.state, self.exception, self._run.stage, self._by_hand)

    def joints(  # noqa: PLR0917 - a joint state's fields in a row, as keywords take time on the stop path
        self, names: Sequence[str], position: Values, velocity: Values, effort: Values, stamp: float, arrival: float
    ) -> None:
        """A joint sample arrived, as for the detector."""
        state = self._detector.state
        before = state.joint_samples
        try:
            violation = self._detector.joints(names, position, velocity, effort, stamp, arrival)
        except Exception as error:
            self._fail(error, arrival)
        else:
            self._judge("joints", violation, arrival)
        if state.joint_samples != before and self.state is not GuardState.WATCHING:
            self._run.joints(arrival)
            if self._run.moves:
                self._rest_lost(arrival)
        self._settle(arrival)

    def wrench(self, frame: str, force: Sequence[float], torque: Sequence[float], stamp: float, arrival: float) -> None:
        """A wrench sample arrived, as for the detector."""
        try:
            violation = self._detector.wrench(frame, force, torque, stamp, arrival)
        except Exception as error:
            self._fail(error, arrival)
        else:
            self._judge("wrench", violation, arrival)
        self._settle(arrival)

    def tick(self, now: float) -> None:
        """Time passed; to be called 50 times a second or more."""
        self._run.tick(now)
        self._settle(now)
        if self._detector.moving:
            # The controller tells statuses only when one changes.
            self._stop_stranger(now)
        try:
            violation = self._detector.tick(now)
        except Exception as error:
            self._fail(error, now)
        else:
            self._judge("tick", violation, now)
        if self.state is GuardState.AWAITING_ACKNOWLEDGE:
            self._retry(now)
        self._settle(now)

    def announce(self, plan: MotionPlan, now: float) -> None:
        """A goal is about to be sent. Raises ValueError for a plan of another arm."""
        dof = len(self._detector.state.position)
        if plan.joints.shape[1] != dof:
            raise ValueError(f"motion plan: {plan.joints.shape[1]} joints, expected {dof}")
        self._goals.announce(plan, now)
        released = self.state is GuardState.RECOVERING and plan.purpose is Purpose.RECOVERY
        if self.state is not GuardState.WATCHING and not released:
            self._goals.condemn(plan.goal)
        if plan.goal == self._executing and self._detector.state.plan is None:
            self._executing = ""
            self._follow(now)
            self._settle(now)

    def goals(self, statuses: Sequence[GoalNews], now: float) -> None:
        """The statuses of all goals the controller knows; the actuator's own are left out."""
        turned_up = self._goals.update(statuses)
        if not self._stop_stranger(now) and turned_up and self._concerns and self.state not in LATCHED:
            concern = next(iter(self._concerns.values()))
            self._stop(replace(concern, message=f"a goal went live while {concern.message}"), now)
        self._follow(now)
        self._run.goals(bool(self._goals.live))
        self._settle(now)

    def stop_answered(self, stage: StopStage, accepted: bool, message: str, now: float) -> None:
        """The controller or driver answered the newest request of a rung."""
        self._run.answered(stage, accepted, message, now)
        self._settle(now)

    def outside(self, rule: str, kind: ExceptionKind, severity: Severity, message: str, now: float) -> bool:
        """A reason to stop that no rule sees, such as a node that died; returns whether there was something to stop.

        There is while a goal is live or may still turn up, or the arm moves.
        """
        violation = Violation(rule, kind, severity, message, (), self._detector.state.stamp)
        under_way = self._goals.live or self._detector.moving or self._goals.expected(now)
        if self.state in LATCHED or not under_way:
            self._join(violation, now)
            return False
        self._stop(violation, now)
        self._settle(now)
        return True

    def release(self, number: int, recovery: bool, now: float) -> str | None:
        """Lift the stop of exception `number`, for announced recoveries or for good; returns why not.

        While a concern stands it is refused, so whoever asks may ask again: a sensor may come back.
        """
        if self.exception is None or number != self.exception.number:
            return self._not_in_force(number)
        if self.state is GuardState.STOPPING:
            return f"exception {number}: the arm is still being stopped"
        if self.state is GuardState.AWAITING_ACKNOWLEDGE:
            return f"a person must acknowledge first: {self.message}"
        live = next((goal for goal in self._goals.live if not self._goals.may_run(goal, recoveries_only=True)), "")
        if live:
            return f"exception {number}: goal {live} has not ended at the controller"
        if self._concerns:
            # What it would let move would be stopped for it in the same moment.
            return f"exception {number}: {self.concern}"
        if not (recovery and self.state is GuardState.RECOVERING):
            self._lift(GuardState.RECOVERING if recovery else GuardState.WATCHING, now)
        return None

    def acknowledge(self, number: int, now: float) -> str | None:
        """A person lets the robot move again. number: of the exception, 0 for the one in force; returns why not."""
        if self.exception is None or number not in (0, self.exception.number):
            return self._not_in_force(number)
        if self.state is GuardState.STOPPING:
            return f"exception {self.exception.number}: the arm is still being stopped"
        if self.state is GuardState.RECOVERING and self._goals.live:
            return f"exception {self.exception.number}: a recovery motion is under way"
        if self._run.fresh(now) and self._detector.moving:
            return f"exception {self.exception.number}: the arm is moving"
        self._lift(GuardState.WATCHING, now)
        return None

    def _not_in_force(self, number: int) -> str:
        if self.exception is None:
            return "no stop is in force"
        return f"exception {self.exception.number} is in force, not {number}"

    def _lift(self, state: GuardState, now: float) -> None:
        """What was condemned stays condemned: a goal that turns up again, or still moves the arm, is stopped anew."""
        self.state = state
        if state is GuardState.WATCHING:
            self.exception = None
        self._run.give_up()
        self._goals.forget_strikes()
        self._shadowed.clear()
        try:
            self._detector.reset()
        except Exception as error:
            self._fail(error, now)
        self._set_caution()

    def _judge(self, source: str, violation: Violation | None, now: float) -> None:
        """source: which input it came from; a concern stands until that input is well again."""
        if violation is None:
            if self._concerns:
                self._concerns.pop(source, None)
        elif self.state in (GuardState.STOPPING, GuardState.AWAITING_ACKNOWLEDGE):
            self._join(violation, now)
        elif self._goals.live or self._detector.moving:
            self._stop(violation, now)
        else:
            self._concerns[source] = violation

    def _fail(self, error: Exception, now: float) -> None:
        """A rule or the detector raised. If it was not a rule, what the samples say is in doubt as well."""
        self.failure = self.failure or error
        rule = error.rule if isinstance(error, RuleFailure) else ""
        violation = failed(rule, error, self._detector.state.stamp)
        if self.state in (GuardState.STOPPING, GuardState.AWAITING_ACKNOWLEDGE):
            self._join(violation, now, doubt=not rule)
        else:
            self._stop(violation, now, doubt=not rule)

    def _stop(self, violation: Violation, now: float, doubt: bool | None = None) -> None:
        """Act, then take down what it was about."""
        if self.shadow and self.state is GuardState.WATCHING:
            self._tell_shadow(violation, now)
            return
        doubt = violation.kind is ExceptionKind.CRASH if doubt is None else doubt
        self._run.begin(now, doubt=doubt, moving=self._detector.moving)
        self._goals.strike()
        self._goals.condemn_all()
        self._concerns.clear()
        self.state = GuardState.STOPPING
        self._open(violation, now)
        self._set_caution()

    def _open(self, violation: Violation, now: float) -> None:
        self.numbered += 1
        newest = self._goals.newest()
        goal = newest.goal if newest is not None else ""
        exception = exception_of(violation, self._detector.state, self.numbered, goal)
        detection = max(0.0, (self._run.handed_over if self._run.handed_over >= 0.0 else self._clock()) - now)
        self.exception, self._reported = replace(exception, detection_seconds=detection), False
        self._joined = JoinedViolations(violation)

    def _join(self, violation: Violation, now: float, doubt: bool | None = None) -> None:
        """A further violation while a stop is in force. One that others were told about already is joined no more."""
        if violation.kind is ExceptionKind.CRASH if doubt is None else doubt:
            self._run.distrust()
        if self._joined is None or self.state is not GuardState.STOPPING:
            return
        if self._reported:
            self._open(violation, now)
        else:
            self._joined.add(violation)

    def _stop_stranger(self, now: float) -> bool:
        """Stop a goal that is live and must not run; returns whether there was one."""
        goal = self._goals.unstruck(self.state is GuardState.RECOVERING, self.state in LATCHED)
        if not goal:
            return False
        if self._run.under_way:
            self._run.again(now)
        elif self.state in LATCHED:
            self._stop_again(now)
        else:
            recovering = self.state is GuardState.RECOVERING
            self._stop(foreign_goal(goal, recovering, self._detector.state.stamp), now)
        if self.state in LATCHED:
            self._goals.strike()
            self._goals.condemn_all()
        return True

    def _rest_lost(self, now: float) -> None:
        """The arm moves although it came to rest; while a person is awaited and no goal is live, they may move it."""
        rested = self.exception is not None and self.exception.stopped and not self._run.under_way
        awaited = self.state is GuardState.AWAITING_ACKNOWLEDGE and self._goals.live
        if rested and (self.state is GuardState.STOPPED or awaited):
            self._stop_again(now)

    def _stop_again(self, now: float) -> None:
        """The same exception, the ladder from its first rung.

        Not with hold while a person is awaited, who may have their hands on the arm. What was in doubt stays so until
        rest has been proven once.
        """
        awaited = self.state is GuardState.AWAITING_ACKNOWLEDGE
        doubt = self._run.doubt and self.exception is not None and not self.exception.stopped
        self._run.begin(now, doubt=doubt, moving=self._detector.moving, hold=not awaited)
        if not awaited:
            self.state = GuardState.STOPPING

    def _retry(self, now: float) -> None:
        """Nobody has seen the arm at rest, and something may still move it."""
        exception = self.exception
        moves = bool(self._goals.live) or (self._detector.moving and self._run.fresh(now))
        due = now >= self._retry_at and not self._run.under_way
        if exception is not None and not exception.stopped and moves and due:
            self._stop_again(now)

    def _settle(self, now: float) -> None:
        """Tell how a run ended."""
        outcome = self._run.outcome()
        if outcome is None or self.exception is None or self._joined is None:
            return
        proven = outcome is LadderState.PROVEN
        self._retry_at = now + RETRY_SECONDS
        if not self._reported:
            self.exception = replace(
                self._joined.told_in(self.exception),
                acknowledge_seconds=self._run.acknowledge_seconds,
                rest_seconds=self._run.rest_seconds,
            )
        elif self.exception.stopped and not proven:
            # Those who heard that the arm stands must hear that it does not.
            self.numbered += 1
            self.exception = replace(self.exception, number=self.numbered)
            self._reported = False
        self.exception = ended(self.exception, self._run.stage, () if proven else self._run.refusals, proven=proven)
        self.state = state_after(self.exception)
        if not self._reported:
            self._reported = True
            self._report(self.exception)

    def _tell_shadow(self, violation: Violation, now: float) -> None:
        if violation.rule in self._shadowed:
            return
        self._shadowed.add(violation.rule)
        self.numbered += 1
        newest = self._goals.newest()
        exception = exception_of(violation, self._detector.state, self.numbered, newest.goal if newest else "")
        self._report(replace(exception, acted=False, detection_seconds=max(0.0, self._clock() - now)))

    def _follow(self, now: float) -> None:
        """Tell the detector what is under execution now."""
        newest = self._goals.newest()
        goal = newest.goal if newest is not None else ""
        if goal == self._executing:
            return
        ended, self._executing = self._executing, goal
        self._shadowed.clear()
        violation = None
        state = self._detector.state
        try:
            if ended:
                violation = self._detector.end(state.stamp)
            if newest is not None:
                self._set_caution()
                self._detector.begin(self._goals.plan(goal), start_of_goal(newest.stamp, state.stamp))
        except Exception as error:
            self._fail(error, now)
        if violation is not None and self.state not in LATCHED:
            self._stop(violation, now)

    def _set_caution(self) -> None:
        plan = self._goals.plan(self._executing)
        recovery = plan is not None and plan.purpose is Purpose.RECOVERY
        careful = recovery or self.state is GuardState.RECOVERING
        self._detector.set_caution(self._caution if careful else 1.0)
