"""The guard (E1, E7): it acts in the call that sees the violation, proves the stop, and keeps the arm stopped."""

from __future__ import annotations

import numpy as np
import pytest
from stop_model import (
    AT_ONCE,
    IGNORE,
    LATE,
    LIE,
    NODE_DEATH,
    RAISE,
    REFUSE,
    REFUSE_AT_ONCE,
    RULES,
    Arm,
    Manner,
    plan,
)

from ams_ros.errors import ConfigurationError
from ams_ros.exception.detector import RuleFailure
from ams_ros.exception.guard import ExceptionGuard, GoalNews, GuardState
from ams_ros.exception.plan import Purpose
from ams_ros.types import ExceptionKind, Severity, StopStage

CANCEL, HOLD, DRIVER_STOP, DEACTIVATE = (
    StopStage.CANCEL,
    StopStage.HOLD,
    StopStage.DRIVER_STOP,
    StopStage.DEACTIVATE,
)
ALL = [CANCEL, HOLD, DRIVER_STOP, DEACTIVATE]
MULISH = {stage: IGNORE for stage in ALL}


def moving(**kwargs: object) -> tuple[Arm, str]:
    """An arm in the middle of an announced slice."""
    arm = Arm(**kwargs)  # type: ignore[arg-type]
    arm.step(10)
    goal = arm.send()
    arm.step(20)
    assert arm.velocity > 0.0
    return arm, goal


def stopped(**kwargs: object) -> Arm:
    """An arm that was stopped while it moved."""
    arm, _ = moving(**kwargs)
    arm.violate()
    assert arm.settle() is GuardState.STOPPED
    return arm


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
    announced = plan(goal)
    arm.guard.announce(
        type(announced)(goal, "context", 0, 0, far, np.nan, np.nan, 0.2, (5,), Purpose.TASK),
        arm.now,
    )
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


# The latch


@pytest.mark.parametrize("after", [0, 1, 2, 5, 50])
@pytest.mark.parametrize("purpose", [Purpose.TASK, Purpose.RECOVERY, None])
def test_a_goal_sent_but_not_yet_accepted_when_the_arm_is_stopped_is_stopped_when_it_turns_up(
    after: int, purpose: Purpose | None
) -> None:
    arm, _ = moving()
    goal = arm.send(purpose, after=after)
    arm.violate()
    arm.step(after + 30)
    assert not arm.goals[goal].live
    assert arm.guard.state is GuardState.STOPPED
    assert arm.velocity == 0.0
    assert len(arm.reports) == 1


def test_a_goal_announced_before_the_stop_is_stopped_even_if_it_turns_up_after_the_release() -> None:
    arm, _ = moving()
    goal = arm.send(after=60)
    arm.violate()
    arm.settle()
    assert arm.guard.release(1, False, arm.now) is None
    arm.step(70)
    assert not arm.goals[goal].live
    assert arm.reports[-1].rule == "foreign_goal"


def test_a_node_that_dies_between_announcing_and_acceptance_is_caught() -> None:
    arm = Arm()
    arm.step(10)
    goal = arm.send(after=20)
    assert arm.violate()
    arm.step(60)
    assert not arm.goals[goal].live
    assert arm.velocity == 0.0


def test_a_node_that_dies_while_nothing_is_under_way_is_nothing_to_stop() -> None:
    arm = Arm()
    arm.step(10)
    assert not arm.violate()
    assert (arm.guard.state, arm.requests) == (GuardState.WATCHING, [])
    goal = arm.send(after=1)
    arm.goals[goal].live = False
    arm.goals.clear()
    arm.step(600)
    assert not arm.violate(), "an announced goal that never came is not waited for without end"


def test_a_client_that_never_ceases_to_send_goals_meets_every_rung() -> None:
    arm, _ = moving()
    arm.violate()
    for _ in range(300):
        arm.send(purpose=None, after=0)
        arm.step()
    assert arm.settle() in (GuardState.STOPPED, GuardState.AWAITING_ACKNOWLEDGE)
    assert set(arm.stages) == set(ALL)


@pytest.mark.parametrize("purpose", [Purpose.TASK, Purpose.RECOVERY])
@pytest.mark.parametrize("recovery", [True, False])
def test_a_goal_announced_while_nothing_may_move_is_stopped_whatever_is_released_meanwhile(
    purpose: Purpose, recovery: bool
) -> None:
    arm = stopped()
    goal = arm.send(purpose, after=20)
    assert arm.guard.release(1, recovery, arm.now) is None
    arm.guard.announce(plan(goal, Purpose.RECOVERY), arm.now)  # nor does another word about it help
    arm.step(40)
    assert not arm.goals[goal].live


def test_a_goal_that_ends_and_turns_up_again_is_stopped_again() -> None:
    arm = stopped()
    for times in (1, 2, 3):
        arm.requests.clear()
        arm.guard.goals([GoalNews("a", True, 1000.0)], arm.now)
        assert arm.stages == [CANCEL], times
        arm.guard.goals([GoalNews("a", True, 1000.0)], arm.now)
        assert len(arm.requests) == 1, "told again is not turned up again"
        arm.guard.goals([], arm.now)
        arm.settle()


def test_the_first_plan_announced_for_a_goal_counts() -> None:
    arm, goal = moving()
    arm.guard.announce(plan(goal, Purpose.RECOVERY), arm.now)
    arm.step(5)
    later = arm.send(after=5)
    arm.guard.announce(plan(later, Purpose.RECOVERY), arm.now)
    arm.step(10)
    assert arm.detector.state.caution == 1.0
    assert arm.detector.state.plan is not None
    assert arm.detector.state.plan.purpose is Purpose.TASK


# Release


def test_only_announced_recoveries_may_run_after_a_release_for_recovery_and_they_are_watched_more_strictly() -> None:
    arm = stopped()
    assert arm.guard.release(1, True, arm.now) is None
    goal = arm.send(Purpose.RECOVERY)
    arm.step(30)
    assert arm.goals[goal].live
    assert arm.velocity > 0.0
    assert arm.detector.state.caution == pytest.approx(0.7)
    assert arm.guard.exception is not None
    arm.goals[goal].live = False
    arm.step(5)
    assert arm.guard.release(1, False, arm.now) is None
    assert (arm.guard.state, arm.detector.state.caution, arm.guard.exception) == (GuardState.WATCHING, 1.0, None)
    task = arm.send()
    arm.step(30)
    assert arm.goals[task].live
    assert len(arm.reports) == 1


@pytest.mark.parametrize("purpose", [Purpose.TASK, None])
def test_any_other_goal_during_a_recovery_is_stopped_and_told(purpose: Purpose | None) -> None:
    arm = stopped()
    arm.guard.release(1, True, arm.now)
    goal = arm.send(purpose)
    arm.step(30)
    assert not arm.goals[goal].live
    assert (arm.reports[-1].number, arm.reports[-1].rule, arm.guard.state) == (2, "foreign_goal", GuardState.STOPPED)


def test_a_recovery_that_meets_a_violation_is_stopped_under_a_new_number() -> None:
    arm = stopped()
    arm.guard.release(1, True, arm.now)
    goal = arm.send(Purpose.RECOVERY)
    arm.step(20)
    arm.violate("and again")
    arm.settle()
    assert not arm.goals[goal].live
    assert [told.number for told in arm.reports] == [1, 2]
    assert arm.guard.release(1, False, arm.now) == "exception 2 is in force, not 1"


def test_release_is_refused_while_the_arm_is_being_stopped_for_a_wrong_number_and_without_a_stop() -> None:
    arm, _ = moving()
    assert arm.guard.release(1, True, arm.now) == "no stop is in force"
    arm.violate()
    assert "still being stopped" in str(arm.guard.release(1, True, arm.now))
    arm.settle()
    for wrong in (0, 2, -1):
        assert arm.guard.release(wrong, False, arm.now) == f"exception 1 is in force, not {wrong}"
    assert arm.guard.state is GuardState.STOPPED


def test_release_is_refused_while_the_controller_still_has_a_goal_the_driver_had_to_stop() -> None:
    arm, goal = moving(manners={CANCEL: LIE, HOLD: LIE, DRIVER_STOP: LIE})
    arm.violate()
    arm.speed = 0.0  # the driver stopped the arm beneath a controller that knows nothing of it
    assert arm.settle() is GuardState.STOPPED
    assert goal in str(arm.guard.release(1, True, arm.now))


def test_after_a_release_for_good_the_guard_stops_the_next_violation_too() -> None:
    arm = stopped()
    arm.guard.release(1, False, arm.now)
    arm.send()
    arm.step(20)
    arm.violate()
    assert arm.settle() is GuardState.STOPPED
    assert [told.number for told in arm.reports] == [1, 2]


# Acknowledgement


def test_what_demands_a_person_cannot_be_released_before_one_has_acknowledged() -> None:
    arm, _ = moving(manners=dict(MULISH))
    arm.violate()
    arm.settle()
    assert "acknowledge" in str(arm.guard.release(1, False, arm.now))
    assert arm.guard.acknowledge(2, arm.now) == "exception 1 is in force, not 2"
    assert arm.guard.acknowledge(1, arm.now) == "exception 1: the arm is moving"
    arm.speed = 0.0
    arm.step(20)
    assert arm.guard.acknowledge(0, arm.now) is None
    assert arm.guard.state is GuardState.WATCHING
    assert arm.guard.acknowledge(0, arm.now) == "no stop is in force"


def test_a_goal_that_lived_through_its_stop_is_stopped_again_after_the_acknowledgement() -> None:
    arm, goal = moving(manners=dict(MULISH))
    arm.violate()
    arm.settle()
    arm.speed = 0.0
    arm.step(20)
    assert arm.guard.acknowledge(1, arm.now) is None
    arm.requests.clear()
    arm.manners.clear()
    arm.guard.goals([GoalNews(goal, True, 1000.0)], arm.now)
    assert arm.stages == [CANCEL]


def test_a_person_may_also_end_a_stop_nobody_came_to_release() -> None:
    arm = stopped()
    assert arm.guard.acknowledge(1, arm.now) is None
    assert arm.guard.state is GuardState.WATCHING


def test_an_acknowledgement_does_not_cut_into_a_recovery_motion() -> None:
    arm = stopped()
    arm.guard.release(1, True, arm.now)
    arm.send(Purpose.RECOVERY)
    arm.step(10)
    assert arm.guard.acknowledge(1, arm.now) == "exception 1: a recovery motion is under way"


def test_a_person_can_acknowledge_while_the_joint_states_are_gone() -> None:
    arm, _ = moving()
    arm.muted = True
    arm.step(30)
    arm.settle()
    assert arm.guard.acknowledge(1, arm.now) is None
    arm.step()
    assert "silence" in arm.guard.concern
    goal = arm.send()
    arm.step(10)
    assert not arm.goals[goal].live, "an arm that is not seen may not move"


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
    wrong = plan("ab" * 16)
    wrong = type(wrong)("ab" * 16, "", 0, 0, np.zeros((2, 7)), 0.0, 0.0, 0.2, (2,))
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
