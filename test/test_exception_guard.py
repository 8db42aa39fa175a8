"""The guard (E1, E7): it acts in the call that sees the violation, proves the stop, and keeps the arm stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stop_model import (
    ALL,
    AT_ONCE,
    CANCEL,
    DEACTIVATE,
    DRIVER_STOP,
    HOLD,
    IGNORE,
    LATE,
    LIE,
    MULISH,
    NODE_DEATH,
    RAISE,
    REFUSE,
    REFUSE_AT_ONCE,
    RULES,
    Arm,
    Manner,
    moving,
    plan,
    stopped,
)

from ams_ros.errors import ConfigurationError
from ams_ros.exception.detector import RuleFailure
from ams_ros.exception.guard import ExceptionGuard, GoalNews, GuardState
from ams_ros.types import ExceptionKind, Severity, StopStage

# Acting


def test_the_first_rung_is_asked_in_the_very_call_that_sees_the_violation_and_told_of_only_later() -> None:
    arm, goal = moving()
    arm.broken = True
    arm.sample()
    assert [stage for stage, _ in arm.requests] == [CANCEL]
    assert arm.guard.state is GuardState.STOPPING
    assert arm.reports == []
    assert arm.guard.exception is not None
    assert (arm.guard.exception.rule, arm.guard.exception.goal) == ("invalid_sample", goal)


def test_an_exception_tells_where_in_the_slice_it_was_seen_what_was_done_and_how_long_it_took() -> None:
    arm, goal = moving()
    arm.violate()
    arm.settle()
    (told,) = arm.reports
    assert (told.number, told.goal, told.context_id, told.slice, told.step) == (1, goal, "context", 3, 4)
    assert (told.kind, told.severity, told.rule) == (*NODE_DEATH, "node_death")
    assert (told.acted, told.stage, told.stopped, told.acknowledge) == (True, CANCEL, True, False)
    assert told.acknowledge_seconds == pytest.approx(0.01)
    assert 0.0 < told.rest_seconds < 0.1


def test_a_violation_of_a_rule_while_nothing_is_announced_stops_goals_of_whoever_sent_them() -> None:
    arm = Arm()
    arm.step(10)
    goal = arm.send(purpose=None)
    arm.step(10)
    arm.broken = True
    arm.sample()
    assert arm.stages == [CANCEL]
    assert arm.guard.exception is not None
    assert (arm.guard.exception.goal, arm.guard.exception.slice) == (goal, -1)


def test_the_slice_that_fails_at_its_very_end_is_an_exception_although_nothing_moves_any_more() -> None:
    arm = Arm(rules=(*RULES, "action_effect"))
    arm.step(10)
    goal = "ab" * 16
    far = np.tile(arm.position + 0.5, (5, 1))
    announced = replace(plan(goal), joints=far, first_step=0, sub_slices=(5,))
    arm.guard.announce(announced, arm.now)
    arm.guard.goals([GoalNews(goal, True, 1000.0 + arm.now)], arm.now)
    arm.step(99)
    assert arm.requests == []
    arm.step()
    arm.guard.goals([GoalNews(goal, False, 1000.0 + arm.now)], arm.now)
    assert arm.stages == [CANCEL]
    assert arm.guard.exception is not None
    assert arm.guard.exception.kind is ExceptionKind.UNEXPECTED_ACTION


# The ladder over the actuator


@pytest.mark.parametrize("bad", [REFUSE, IGNORE, LIE, RAISE, REFUSE_AT_ONCE])
@pytest.mark.parametrize("failing", [1, 2, 3])
def test_each_rung_that_fails_leads_to_the_next_one_until_the_arm_rests(bad: Manner, failing: int) -> None:
    arm = stopped(manners={stage: bad for stage in ALL[:failing]})
    assert arm.stages == ALL[: failing + 1]
    (told,) = arm.reports
    assert (told.stage, told.stopped, told.acknowledge) == (ALL[failing], True, False)


@pytest.mark.parametrize("bad", [REFUSE, IGNORE, LIE, RAISE, REFUSE_AT_ONCE])
def test_an_exhausted_ladder_is_told_as_critical_and_demands_a_person(bad: Manner) -> None:
    arm, _ = moving(manners={stage: bad for stage in ALL})
    arm.violate()
    assert arm.settle() is GuardState.AWAITING_ACKNOWLEDGE
    assert arm.stages == ALL
    (told,) = arm.reports
    assert (told.stopped, told.acknowledge, told.severity) == (False, True, Severity.CRITICAL)
    assert "the stop was not proven" in told.message
    assert "NOT SEEN TO COME TO REST" in arm.guard.message
    assert arm.driver.by_hand in arm.guard.message


def test_a_stop_that_was_not_proven_is_tried_again_without_holding_while_the_arm_moves() -> None:
    arm, _ = moving(manners=dict(MULISH))
    arm.violate()
    arm.settle()
    arm.requests.clear()
    arm.manners.clear()
    arm.step(150)
    assert arm.stages == [CANCEL]
    assert arm.guard.state is GuardState.AWAITING_ACKNOWLEDGE
    assert len(arm.reports) == 1
    assert arm.guard.exception is not None
    assert arm.guard.exception.stopped


def test_answers_from_inside_the_actuators_call_are_taken_in_their_order() -> None:
    arm = stopped(manners={CANCEL: REFUSE_AT_ONCE, HOLD: AT_ONCE})
    assert arm.stages == [CANCEL, HOLD]


def test_a_late_acknowledgement_of_the_cancel_counts_although_the_hold_was_asked_meanwhile() -> None:
    arm = stopped(manners={CANCEL: LATE, HOLD: IGNORE, DRIVER_STOP: Manner(after=60)})
    assert arm.reports[0].stopped


def test_the_arm_is_held_where_it_is_measured() -> None:
    arm, _ = moving(manners={CANCEL: REFUSE_AT_ONCE})
    arm.violate()
    assert arm.held[0] == pytest.approx(arm.detector.state.position)


def test_the_arm_is_never_told_to_hold_a_position_that_is_old_or_in_doubt() -> None:
    arm, _ = moving(manners={CANCEL: REFUSE_AT_ONCE})
    arm.muted = True
    arm.step(6)
    arm.violate()
    assert arm.stages == [CANCEL, DRIVER_STOP]
    arm, _ = moving(manners={CANCEL: REFUSE_AT_ONCE})
    arm.broken = True
    arm.sample()
    assert arm.stages == [CANCEL, DRIVER_STOP]
    assert arm.held == []


def test_jakas_driver_is_asked_to_stop_and_never_sent_a_cancel_or_a_second_goal() -> None:
    arm = stopped(driver_name="jaka_s5")
    assert arm.stages == [DRIVER_STOP]


def test_a_stop_that_is_tried_again_leaves_hold_out_as_a_person_may_have_their_hands_on_the_arm() -> None:
    arm, _ = moving(manners=dict(MULISH))
    arm.violate()
    arm.settle()
    arm.requests.clear()
    arm.step(400)
    assert arm.stages[:4] == [CANCEL, DRIVER_STOP, DEACTIVATE, CANCEL]


# Rest


def test_silent_joint_states_never_prove_rest() -> None:
    arm, _ = moving()
    arm.muted = True
    assert arm.guard.state is GuardState.WATCHING
    arm.step(30)
    assert arm.settle() is GuardState.AWAITING_ACKNOWLEDGE
    (told,) = arm.reports
    assert (told.kind, told.rule, told.stopped, told.acknowledge) == (ExceptionKind.CRASH, "silence", False, True)
    assert HOLD not in arm.stages


@pytest.mark.parametrize("driver", ["simulated_widowx", "jaka_s5"])
def test_frozen_joint_states_never_prove_rest_even_where_their_differences_say_so(driver: str) -> None:
    arm, _ = moving(driver_name=driver)
    arm.frozen = True
    arm.step()
    arm.violate()
    assert arm.settle() is GuardState.AWAITING_ACKNOWLEDGE
    assert not arm.reports[0].stopped


def test_a_sample_with_the_same_stamp_again_counts_only_once() -> None:
    arm, _ = moving()
    arm.violate()
    arm.muted = True
    arm.step(2)
    for _ in range(10):
        arm.sample()
    assert arm.guard.state is GuardState.STOPPING


def test_a_gap_in_the_joint_states_starts_the_proof_of_rest_anew() -> None:
    arm, _ = moving()
    arm.violate()
    arm.step(2)
    arm.muted = True
    arm.step(10)
    arm.muted = False
    arm.step(2)
    assert arm.guard.state is GuardState.STOPPING
    arm.step()
    assert arm.guard.state is GuardState.STOPPED


def test_samples_that_fall_into_doubt_during_a_stop_are_not_trusted_from_then_on() -> None:
    arm, _ = moving(manners={CANCEL: IGNORE})
    arm.violate()
    arm.broken = True
    arm.step()
    arm.broken = False
    arm.settle()
    assert arm.stages == [CANCEL, DRIVER_STOP]


def test_what_was_in_doubt_is_still_in_doubt_when_the_stop_is_tried_again() -> None:
    arm = Arm(manners=dict(MULISH))
    arm.step(10)
    arm.send(moves=(range(10), range(10_000, 20_000)))
    arm.step(30)
    arm.frozen = arm.broken = True
    arm.step()
    arm.broken = False
    arm.settle()
    assert arm.guard.state is GuardState.AWAITING_ACKNOWLEDGE
    arm.manners.clear()
    arm.step(150)
    assert arm.guard.exception is not None
    assert not arm.guard.exception.stopped, "the pictures never changed since then"


def test_a_trajectory_that_pauses_is_no_stop() -> None:
    arm = Arm(manners={CANCEL: LIE, HOLD: LIE})
    arm.step(10)
    arm.send(moves=(range(30), range(100, 10_000)))
    arm.step(50)
    assert arm.velocity == 0.0
    arm.violate()
    arm.settle()
    assert arm.reports[0].stage is DRIVER_STOP


def test_an_arm_that_moves_again_although_it_was_stopped_is_stopped_again() -> None:
    arm = stopped()
    arm.requests.clear()
    for _ in range(5):
        arm.steps += 1
        arm.velocity = 0.3
        arm.position[0] += 0.003
        arm.sample()
    assert arm.stages == [CANCEL]
    assert arm.settle() is GuardState.STOPPED
    assert len(arm.reports) == 1


def test_when_a_stop_that_was_told_as_proven_cannot_be_proven_again_that_is_told_under_a_new_number() -> None:
    arm = stopped()
    arm.manners = dict(MULISH)
    arm.send(purpose=None)
    arm.step(5)
    assert arm.settle() is GuardState.AWAITING_ACKNOWLEDGE
    assert [(told.number, told.stopped) for told in arm.reports] == [(1, True), (2, False)]
    assert arm.guard.release(1, True, arm.now) is not None


# Further violations, concerns, shadow, failures


def test_violations_during_a_stop_join_it_and_the_worst_severity_wins() -> None:
    arm, _ = moving(manners={CANCEL: Manner(after=8)})
    arm.violate()
    before = list(arm.requests)
    for _ in range(20):
        arm.broken = True
        arm.sample()
    assert arm.requests == before, "the ladder is not begun anew"
    arm.broken = False
    arm.settle()
    (told,) = arm.reports
    assert told.rule == "node_death"
    assert "invalid_sample" in told.message
    assert "19 more violations" in told.message


def test_what_stands_while_the_arm_is_at_rest_is_a_concern_and_stops_the_next_goal_at_once() -> None:
    arm = Arm()
    arm.step(10)
    arm.muted = True
    arm.step(40)
    assert "silence" in arm.guard.concern
    assert (arm.guard.state, arm.requests, arm.reports) == (GuardState.WATCHING, [], [])
    arm.send(after=1)
    arm.step()
    assert arm.stages == [CANCEL]
    assert arm.guard.exception is not None
    assert "went live while" in arm.guard.exception.message


def test_a_stop_is_not_released_before_a_sensor_that_went_silent_is_back() -> None:
    arm, _ = moving()
    arm.step(10)
    arm.muted = True
    arm.step(30)
    arm.muted = False
    arm.settle()
    assert arm.guard.state is GuardState.STOPPED
    arm.muted = True
    arm.step(40)
    for recovery in (True, False):
        assert "silence" in str(arm.guard.release(1, recovery, arm.now))
    arm.muted = False
    arm.step()
    assert arm.guard.release(1, True, arm.now) is None


def test_a_concern_ends_when_its_cause_does() -> None:
    arm = Arm()
    arm.step(10)
    arm.broken = True
    arm.step()
    assert "invalid_sample" in arm.guard.concern
    arm.broken = False
    arm.step()
    assert arm.guard.concern == ""
    goal = arm.send()
    arm.step(20)
    assert arm.goals[goal].live


def test_shadow_mode_tells_each_rule_once_per_goal_and_touches_nothing() -> None:
    arm, _ = moving(shadow=True)
    arm.broken = True
    arm.step(20)
    arm.violate()
    assert arm.requests == []
    assert arm.guard.state is GuardState.WATCHING
    assert [(told.rule, told.acted, told.stage) for told in arm.reports] == [
        ("invalid_sample", False, StopStage.NONE),
        ("node_death", False, StopStage.NONE),
    ]
    arm.guard.shadow = False
    arm.step()
    assert arm.stages == [CANCEL]


def test_a_stop_in_force_stays_in_force_when_shadow_mode_is_switched_on() -> None:
    arm = stopped()
    arm.guard.shadow = True
    goal = arm.send()
    arm.step(20)
    assert not arm.goals[goal].live


def test_a_rule_that_raises_stops_the_arm_first_and_is_kept_for_whoever_called(monkeypatch: pytest.MonkeyPatch) -> None:
    arm, _ = moving()
    rule = next(rule for rule in arm.detector.rules if rule.name == "joint_limits")
    monkeypatch.setattr(rule, "Settings", None)
    monkeypatch.setattr(type(rule), "joints", lambda self, state: 1 / 0)
    arm.detector.set_enabled("joint_limits", True)
    arm.step()
    assert arm.stages == [CANCEL]
    assert arm.settle() is GuardState.AWAITING_ACKNOWLEDGE
    (told,) = arm.reports
    assert (told.rule, told.severity, told.stopped, told.acknowledge) == ("joint_limits", Severity.CRITICAL, True, True)
    assert isinstance(arm.guard.failure, RuleFailure)
    assert "ZeroDivisionError" in told.message


def test_a_plan_of_another_arm_is_refused() -> None:
    arm = Arm()
    wrong = replace(plan("ab" * 16, steps=2), joints=np.zeros((2, 7)))
    with pytest.raises(ValueError, match="7 joints, expected 6"):
        arm.guard.announce(wrong, arm.now)


def test_goals_may_be_told_with_any_stamp_and_twice() -> None:
    arm = Arm()
    arm.step(10)
    arm.guard.goals([GoalNews("b", True, float("nan"))], arm.now)
    arm.step(10)
    for stamp in (float("nan"), float("inf"), -1e300, 0.0):
        arm.guard.goals([GoalNews("a", True, stamp), GoalNews("a", True, stamp)], arm.now)
        arm.step(2)
        arm.guard.goals([], arm.now)
    assert np.isfinite(arm.detector.state.elapsed)


@pytest.mark.parametrize("caution", [0.0, 1.1, float("nan")])
def test_a_caution_that_is_no_share_is_refused(caution: float) -> None:
    arm = Arm()
    with pytest.raises(ConfigurationError, match="caution"):
        ExceptionGuard(arm.detector, arm.driver, arm, print, caution=caution)


def test_numbers_go_on_from_the_guard_before() -> None:
    arm = Arm()
    guard = ExceptionGuard(arm.detector, arm.driver, arm, arm.reports.append, clock=lambda: arm.now, numbered=7)
    guard.goals([GoalNews("a", True, 1000.0)], arm.now)
    guard.outside("node_death", *NODE_DEATH, "gone", arm.now)
    assert (guard.exception is not None and guard.exception.number) == 8
    assert guard.numbered == 8
