"""The guard's latch (E7): while a stop is in force nothing moves, and who may lift it."""

from __future__ import annotations

import pytest
from stop_model import ALL, CANCEL, DRIVER_STOP, HOLD, LIE, MULISH, Arm, moving, plan, stopped

from ams_ros.exception.guard import GoalNews, GuardState
from ams_ros.exception.plan import Purpose

# Goals that turn up


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


def _acknowledged_though_the_goal_lives() -> tuple[Arm, str]:
    """The arm stands, obeys again and has been asked for nothing since."""
    arm, goal = moving(manners=dict(MULISH))
    arm.violate()
    arm.settle()
    arm.speed = 0.0
    arm.step(20)
    assert arm.guard.acknowledge(1, arm.now) is None
    arm.requests.clear()
    arm.manners.clear()
    return arm, goal


def test_a_goal_that_lived_through_its_stop_is_stopped_again_after_the_acknowledgement() -> None:
    arm, goal = _acknowledged_though_the_goal_lives()
    arm.guard.goals([GoalNews(goal, True, 1000.0)], arm.now)
    assert arm.stages == [CANCEL]


def test_such_a_goal_is_stopped_as_soon_as_it_moves_the_arm_though_its_status_never_changes() -> None:
    arm, goal = _acknowledged_though_the_goal_lives()
    arm.step(20)
    assert not arm.requests, "it may be no more than the memory of a controller that was restarted"
    arm.speed = 0.2
    arm.step(50)
    assert arm.stages == [CANCEL]
    assert not arm.goals[goal].live
    assert arm.reports[-1].rule == "foreign_goal"


def test_a_stop_outlives_the_guard_that_made_it() -> None:
    arm = stopped()
    arm.configure_anew()
    assert arm.guard.state is GuardState.STOPPED
    goal = arm.send()
    arm.step(20)
    assert not arm.goals[goal].live
    assert arm.settle() is GuardState.STOPPED
    assert arm.guard.release(1, False, arm.now) is None
    assert len(arm.reports) == 1


@pytest.mark.parametrize("during", [True, False])
def test_a_stop_that_was_not_proven_before_its_guard_went_awaits_a_person_and_is_tried_again(during: bool) -> None:
    arm, _ = moving(manners=dict(MULISH))
    arm.violate()
    arm.step(3) if during else arm.settle()
    arm.configure_anew()
    assert arm.guard.state is GuardState.AWAITING_ACKNOWLEDGE
    assert "person" in (arm.guard.release(1, False, arm.now) or "")
    arm.manners.clear()
    arm.step(100)
    assert not arm.known()
    assert arm.velocity == 0.0
    assert arm.guard.exception is not None
    assert arm.guard.exception.stopped
    assert arm.guard.acknowledge(1, arm.now) is None


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
