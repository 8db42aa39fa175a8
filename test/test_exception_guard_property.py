"""Whatever happens in whatever order, the guard keeps its promises (E7).

A small arm whose truth is known, behind a controller and a driver that may refuse, ignore, lie, be late or fail, with
joint states that may fall silent or freeze, and clients that send what they like.
"""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from stop_model import AT_ONCE, IGNORE, LATE, LIE, OBEY, RAISE, REFUSE, REFUSE_AT_ONCE, Arm

from ams_ros.exception.guard import GuardState
from ams_ros.exception.guard_state import LATCHED
from ams_ros.exception.plan import Purpose
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.stop_ladder import MOST_REPEATS
from ams_ros.types import ActionException, Severity, StopStage

CONTROLLER = [OBEY, OBEY, OBEY, OBEY, AT_ONCE, LATE, REFUSE, REFUSE_AT_ONCE, IGNORE, RAISE, LIE]
DRIVER = [manner for manner in CONTROLLER if manner is not LIE]
"""Nothing can tell a driver that lies from one that stops an arm which has just paused; the controller's goals can."""

CALLS = frozenset({StopStage.DRIVER_STOP, StopStage.DEACTIVATE})


class WatchedArm(Arm):
    """Checks with every status and every report what can only be checked then."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.recoveries: set[str] = set()
        self.turned_up: dict[str, int] = {}

    def tell_goals(self) -> None:
        before = set(self.known())
        super().tell_goals()
        for goal in set(self.known()) - before:
            self.turned_up[goal] = self.steps
        for goal in self.known():
            allowed = self.guard.state is GuardState.WATCHING or (
                self.guard.state is GuardState.RECOVERING and goal in self.recoveries
            )
            asked = any(step >= self.turned_up[goal] for _, step in self.requests)
            assert allowed or asked, f"goal {goal} lives in state {self.guard.state} and nobody asked for it to stop"

    def _report(self, exception: ActionException) -> None:
        super()._report(exception)
        numbers = [told.number for told in self.reports]
        assert numbers == sorted(set(numbers)), "each exception is told once"
        if exception.stopped:
            known = [self.goals[goal] for goal in self.known()]
            assert not any(self.turning(goal) for goal in known), "told as stopped, but a goal moves it"
            assert exception.stage not in (StopStage.CANCEL, StopStage.HOLD) or not any(goal.live for goal in known)
        else:
            tried = [stage for stage, _ in groupby(stage for stage, _ in self.requests)]
            ladder = [step.stage for step in self.driver.stop]
            without_hold = [stage for stage in ladder if stage is not StopStage.HOLD]
            assert ladder == tried[-len(ladder) :] or without_hold == tried[-len(without_hold) :]
            assert exception.acknowledge
            assert exception.severity is Severity.CRITICAL


class AnyOrder(RuleBasedStateMachine):
    """The driver is chosen by the subclasses below."""

    driver = ""

    def __init__(self) -> None:
        super().__init__()
        self.arm = WatchedArm(driver_name=self.driver)
        self.arm.step(5)

    @property
    def number(self) -> int:
        exception = self.arm.guard.exception
        return exception.number if exception is not None else 0

    @initialize(data=st.data())
    def a_driver_of_some_temper(self, data: st.DataObject) -> None:
        for step in self.arm.driver.stop:
            manners = DRIVER if step.stage in CALLS else CONTROLLER
            self.arm.manners[step.stage] = data.draw(st.sampled_from(manners), label=step.stage.value)

    @rule(count=st.sampled_from([1, 2, 3, 5, 10, 30, 120]))
    def time_passes(self, count: int) -> None:
        self.arm.step(count)

    @rule(
        purpose=st.sampled_from([Purpose.TASK, Purpose.TASK, Purpose.RECOVERY, None]),
        after=st.sampled_from([0, 1, 2, 4, 10]),
        pause=st.sampled_from([0, 5, 40]),
    )
    def a_goal_is_sent(self, purpose: Purpose | None, after: int, pause: int) -> None:
        moves = (range(10_000),) if not pause else (range(6), range(6 + pause, 10_000))
        recovering = self.arm.guard.state is GuardState.RECOVERING
        goal = self.arm.send(purpose, after, moves)
        if recovering and purpose is Purpose.RECOVERY:
            self.arm.recoveries.add(goal)

    @rule()
    def the_goals_end(self) -> None:
        for goal in self.arm.goals.values():
            goal.live = False

    @rule()
    def a_node_dies(self) -> None:
        guard, arm = self.arm.guard, self.arm
        before, state, live = len(arm.requests), guard.state, bool(arm.known())
        acted = arm.violate()
        assert acted == (len(arm.requests) > before)
        if live and state not in LATCHED:
            assert acted
            assert arm.requests[before][0] is arm.driver.stop[0].stage, "the first rung, in this very call"

    @rule()
    def a_sample_is_no_reading(self) -> None:
        arm = self.arm
        if arm.muted or arm.period > 1:
            return
        before, state, live = len(arm.requests), arm.guard.state, bool(arm.known())
        arm.broken = True
        arm.steps += 1
        arm.sample()
        arm.broken = False
        if live and state in (GuardState.WATCHING, GuardState.RECOVERING):
            assert len(arm.requests) > before

    @rule(what=st.sampled_from(["muted", "frozen", "well", "well"]))
    def the_joint_states_change(self, what: str) -> None:
        self.arm.muted, self.arm.frozen = what == "muted", what == "frozen"

    @rule(data=st.data())
    def a_rung_is_met_in_another_manner(self, data: st.DataObject) -> None:
        stage = data.draw(st.sampled_from([step.stage for step in self.arm.driver.stop]))
        self.arm.manners[stage] = data.draw(st.sampled_from(DRIVER if stage in CALLS else CONTROLLER))

    @rule(off=st.sampled_from([0, 0, 0, 1, -1]), recovery=st.booleans())
    def it_is_released(self, off: int, recovery: bool) -> None:
        guard = self.arm.guard
        number, state = self.number, guard.state
        refused = guard.release(number + off, recovery, self.arm.now)
        if refused is not None:
            assert guard.state is state
            return
        assert off == 0
        assert number > 0
        assert state in (GuardState.STOPPED, GuardState.RECOVERING)
        if state is GuardState.STOPPED:
            self.arm.recoveries.clear()
        assert guard.state is (GuardState.RECOVERING if recovery else GuardState.WATCHING)

    @rule(off=st.sampled_from([0, 0, 1]))
    def a_person_acknowledges(self, off: int) -> None:
        guard = self.arm.guard
        state = guard.state
        refused = guard.acknowledge(self.number + off, self.arm.now)
        if refused is not None:
            assert guard.state is state
            return
        assert off == 0
        assert state in (GuardState.STOPPED, GuardState.RECOVERING, GuardState.AWAITING_ACKNOWLEDGE)
        assert guard.state is GuardState.WATCHING

    @precondition(lambda self: self.arm.guard.state is not GuardState.STOPPING)
    @rule()
    def the_monitor_is_configured_anew(self) -> None:
        arm = self.arm
        number, state = self.number, arm.guard.state
        arm.configure_anew()
        assert self.number == number
        assert arm.guard.state is (GuardState.STOPPED if state is GuardState.RECOVERING else state)

    @precondition(lambda self: self.arm.guard.state is GuardState.STOPPING)
    @rule()
    def all_turns_well(self) -> None:
        arm = self.arm
        arm.manners.clear()
        arm.muted = arm.frozen = False
        told = len(arm.reports)
        assert arm.settle() in (GuardState.STOPPED, GuardState.AWAITING_ACKNOWLEDGE)
        assert len(arm.reports) <= told + 1

    @precondition(lambda self: self.arm.guard.state is GuardState.STOPPED)
    @rule(interrupted=st.sampled_from(["", "task", "stranger", "node"]))
    def a_recovery_runs(self, interrupted: str) -> None:
        self.it_is_released(0, True)
        if self.arm.guard.state is not GuardState.RECOVERING:
            return
        self.a_goal_is_sent(Purpose.RECOVERY, 2, 0)
        self.arm.step(8)
        if interrupted in ("task", "stranger"):
            self.a_goal_is_sent(Purpose.TASK if interrupted == "task" else None, 2, 0)
        elif interrupted:
            self.a_node_dies()
        self.arm.step(8)

    @precondition(lambda self: self.arm.guard.state is GuardState.STOPPING)
    @rule()
    def nothing_but_ticks_comes(self) -> None:
        driver = load_driver(self.driver)
        longest = max(step.deadline for step in driver.stop) + driver.rest.deadline
        end = self.arm.steps + round(100 * (len(driver.stop) + MOST_REPEATS) * longest) + 1
        while self.arm.guard.state is GuardState.STOPPING:
            assert self.arm.steps < end, "ticks alone bring the ladder to its end"
            self.arm.steps += 1
            self.arm.guard.tick(self.arm.now)
        told = self.arm.guard.exception
        assert told is not None
        assert told.stopped or self.arm.guard.state is GuardState.AWAITING_ACKNOWLEDGE

    @invariant()
    def jaka_is_never_sent_a_cancel_or_a_second_goal(self) -> None:
        known = {step.stage for step in self.arm.driver.stop}
        assert {stage for stage, _ in self.arm.requests} <= known
        assert self.driver != "jaka_s5" or known == {StopStage.DRIVER_STOP}

    @invariant()
    def what_is_in_force_is_told_or_about_to_be(self) -> None:
        guard = self.arm.guard
        assert (guard.exception is None) == (guard.state is GuardState.WATCHING)
        assert guard.failure is None
        if guard.state in (GuardState.STOPPED, GuardState.AWAITING_ACKNOWLEDGE):
            assert guard.exception is not None
            assert self.arm.reports[-1].number == guard.exception.number
            assert guard.exception.acknowledge == (guard.state is GuardState.AWAITING_ACKNOWLEDGE)


@pytest.mark.parametrize("name", ["simulated_widowx", "interbotix_wx250s", "jaka_s5"])
def test_in_any_order_of_events_the_guard_keeps_its_promises(name: str) -> None:
    machine = type(f"AnyOrder_{name}", (AnyOrder,), {"driver": name})
    run_state_machine_as_test(machine, settings=settings(max_examples=80, stateful_step_count=25, deadline=None))
