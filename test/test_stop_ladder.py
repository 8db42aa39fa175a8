"""The stop ladder (E7): which rung comes when, and what proves a stop."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.robot.driver import RestCriterion, StopStep
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.stop_ladder import MOST_REPEATS, LadderState, StopLadder
from ams_ros.types import StopStage

CANCEL, HOLD, DRIVER_STOP, DEACTIVATE = (
    StopStage.CANCEL,
    StopStage.HOLD,
    StopStage.DRIVER_STOP,
    StopStage.DEACTIVATE,
)
REST = RestCriterion(velocity=0.02, samples=3, deadline=0.5)
ALL = tuple(StopStep(stage, 0.1) for stage in (CANCEL, HOLD, DRIVER_STOP, DEACTIVATE))


def ladder(*stages: StopStage) -> StopLadder:
    return StopLadder([step for step in ALL if step.stage in (stages or StopStage)], REST)


def rest(stop: StopLadder, now: float, samples: int = REST.samples) -> None:
    for k in range(samples):
        stop.speeds(0.0, now + 0.001 * k)


def tried(step: StopStep | None) -> StopStage:
    return StopStage.NONE if step is None else step.stage


def test_an_acknowledged_cancel_followed_by_rest_proves_the_stop() -> None:
    stop = ladder()
    assert tried(stop.begin(1.0)) is CANCEL
    assert stop.answered(CANCEL, True, 1.02) is None
    rest(stop, 1.03)
    assert (stop.state, stop.stage) == (LadderState.PROVEN, CANCEL)
    assert (stop.acknowledged, stop.rested) == (1.02, 1.03)


def test_rest_without_an_acknowledgement_proves_nothing_because_a_trajectory_may_pause() -> None:
    stop = ladder()
    stop.begin(0.0)
    rest(stop, 0.01, 50)
    assert stop.state is LadderState.UNDER_WAY
    assert tried(stop.tick(0.1)) is HOLD


def test_samples_from_before_the_acknowledgement_do_not_count() -> None:
    stop = ladder()
    stop.begin(0.0)
    rest(stop, 0.01)
    stop.answered(CANCEL, True, 0.05)
    rest(stop, 0.06, REST.samples - 1)
    assert stop.state is LadderState.UNDER_WAY
    rest(stop, 0.08, 1)
    assert stop.state is LadderState.PROVEN
    assert stop.rested == 0.01


@pytest.mark.parametrize("speed", [0.021, -0.5, float("nan"), float("inf")])
def test_one_fast_or_unreadable_sample_starts_the_count_anew(speed: float) -> None:
    stop = ladder()
    stop.begin(0.0)
    stop.answered(CANCEL, True, 0.01)
    rest(stop, 0.02, REST.samples - 1)
    stop.speeds(speed, 0.03)
    rest(stop, 0.04, REST.samples - 1)
    assert stop.state is LadderState.UNDER_WAY


def test_a_gap_in_the_samples_starts_the_count_anew() -> None:
    stop = ladder()
    stop.begin(0.0)
    stop.answered(CANCEL, True, 0.01)
    rest(stop, 0.02, REST.samples - 1)
    stop.no_speed()
    rest(stop, 0.3, REST.samples - 1)
    assert stop.state is LadderState.UNDER_WAY


def test_a_refusal_leads_to_the_next_rung_at_once() -> None:
    stop = ladder()
    stop.begin(0.0)
    assert tried(stop.answered(CANCEL, False, 0.01)) is HOLD
    assert tried(stop.answered(HOLD, False, 0.02)) is DRIVER_STOP
    assert tried(stop.answered(DRIVER_STOP, False, 0.03)) is DEACTIVATE
    assert stop.answered(DEACTIVATE, False, 0.04) is None
    assert (stop.state, stop.stage) == (LadderState.EXHAUSTED, DEACTIVATE)


def test_ticks_alone_climb_the_whole_ladder_and_end_it() -> None:
    stop = ladder()
    stages = [tried(stop.begin(0.0))]
    for k in range(1, 100):
        step = stop.tick(0.02 * k)
        if step is not None:
            stages.append(step.stage)
    assert stages == [CANCEL, HOLD, DRIVER_STOP, DEACTIVATE]
    assert stop.state is LadderState.EXHAUSTED


def test_an_acknowledged_rung_after_which_the_arm_does_not_rest_is_left_at_the_rest_deadline() -> None:
    stop = ladder()
    stop.begin(0.0)
    stop.answered(CANCEL, True, 0.05)
    stop.speeds(0.4, 0.1)
    assert stop.tick(0.54) is None
    assert tried(stop.tick(0.55)) is HOLD


def test_a_controller_that_acknowledges_and_keeps_its_goal_is_not_believed_even_while_it_pauses() -> None:
    stop = ladder()
    stop.goals(True)
    stop.begin(0.0)
    stop.answered(CANCEL, True, 0.01)
    rest(stop, 0.02, 20)
    assert stop.state is LadderState.UNDER_WAY
    stop.goals(False)
    assert stop.state is LadderState.PROVEN


@pytest.mark.parametrize("stage", [DRIVER_STOP, DEACTIVATE])
def test_a_driver_that_stopped_the_arm_overrules_goals_the_controller_still_holds(stage: StopStage) -> None:
    stop = ladder(stage)
    stop.goals(True)
    stop.begin(0.0)
    stop.answered(stage, True, 0.01)
    rest(stop, 0.02)
    assert stop.state is LadderState.PROVEN


def test_a_late_refusal_of_an_earlier_rung_is_harmless() -> None:
    stop = ladder()
    stop.begin(0.0)
    stop.tick(0.1)
    assert stop.answered(CANCEL, False, 0.12) is None
    assert (stop.state, stop.stage) == (LadderState.UNDER_WAY, HOLD)


def test_a_late_acknowledgement_of_an_earlier_rung_counts_but_not_against_the_goals_left() -> None:
    stop = ladder(CANCEL, DRIVER_STOP)
    stop.goals(True)
    stop.begin(0.0)
    assert tried(stop.tick(0.1)) is DRIVER_STOP
    stop.answered(CANCEL, True, 0.12)
    rest(stop, 0.13)
    assert stop.state is LadderState.UNDER_WAY, "the driver has not answered, and the controller still has a goal"
    stop.goals(False)
    assert stop.state is LadderState.PROVEN


@pytest.mark.parametrize("stage", [HOLD, DEACTIVATE, StopStage.NONE])
def test_an_answer_to_a_rung_that_was_not_tried_is_ignored(stage: StopStage) -> None:
    stop = ladder()
    stop.begin(0.0)
    assert stop.answered(stage, True, 0.01) is None
    assert stop.answered(stage, False, 0.01) is None
    rest(stop, 0.02)
    assert (stop.state, stop.stage) == (LadderState.UNDER_WAY, CANCEL)


def test_a_goal_that_turns_up_asks_the_same_rung_again_and_voids_what_was_acknowledged() -> None:
    stop = ladder()
    stop.begin(0.0)
    stop.answered(CANCEL, True, 0.01)
    assert tried(stop.again(0.05)) is CANCEL
    rest(stop, 0.06)
    assert stop.state is LadderState.UNDER_WAY
    stop.answered(CANCEL, True, 0.08)
    rest(stop, 0.09)
    assert stop.state is LadderState.PROVEN


def test_an_acknowledgement_of_an_earlier_rung_does_not_speak_of_a_goal_that_turned_up_after_it_was_left() -> None:
    stop = ladder()
    stop.begin(0.0)
    stop.tick(0.1)
    stop.again(0.11)
    stop.answered(CANCEL, True, 0.12)
    rest(stop, 0.13)
    assert stop.state is LadderState.UNDER_WAY


def test_goals_without_end_drive_the_ladder_up_instead_of_holding_it_in_place() -> None:
    stop = ladder()
    stop.begin(0.0)
    now = 0.0
    while stop.state is LadderState.UNDER_WAY:
        now += 0.02
        stop.again(now)
        stop.answered(stop.stage, True, now)
        stop.tick(now)
        assert now < (len(ALL) + MOST_REPEATS) * (0.1 + REST.deadline)
    assert stop.state is LadderState.EXHAUSTED


def test_rungs_that_are_left_out_are_skipped_and_leaving_all_out_exhausts_the_ladder_at_once() -> None:
    stop = ladder()
    stop.begin(0.0, frozenset({HOLD}))
    assert tried(stop.answered(CANCEL, False, 0.01)) is DRIVER_STOP
    stop = ladder(HOLD)
    assert stop.begin(0.0, frozenset({HOLD})) is None
    assert (stop.state, stop.stage) == (LadderState.EXHAUSTED, StopStage.NONE)


def test_a_new_run_starts_over_from_the_first_rung() -> None:
    stop = ladder()
    stop.begin(0.0)
    stop.tick(0.1)
    assert tried(stop.begin(5.0)) is CANCEL
    rest(stop, 5.01)
    assert stop.state is LadderState.UNDER_WAY


EVENTS = (
    *(("answer", stage, accepted) for stage in (CANCEL, DRIVER_STOP) for accepted in (True, False)),
    *((name,) for name in ("slow", "fast", "gap", "late", "again", "goal", "no goal")),
)


def apply(stop: StopLadder, event: tuple[object, ...], now: float) -> StopStep | None:
    match event:
        case ("answer", StopStage() as stage, bool() as accepted):
            return stop.answered(stage, accepted, now)
        case ("slow",):
            stop.speeds(0.0, now)
        case ("fast",):
            stop.speeds(1.0, now)
        case ("gap",):
            stop.no_speed()
        case ("late",):
            return stop.tick(now + 0.2)
        case ("again",):
            return stop.again(now)
        case ("goal",):
            stop.goals(True)
        case ("no goal",):
            stop.goals(False)
    return None


def test_in_every_sequence_of_five_events_a_proof_has_its_three_parts_and_every_end_was_earned() -> None:
    """Two rungs, two samples: small enough to try every sequence there is."""
    brief = RestCriterion(velocity=0.02, samples=2, deadline=0.5)
    steps = [StopStep(CANCEL, 0.1), StopStep(DRIVER_STOP, 0.1)]
    proven = exhausted = 0
    for sequence in itertools.product(EVENTS, repeat=5):
        stop = StopLadder(steps, brief)
        stages = [tried(stop.begin(0.0))]
        for k, event in enumerate(sequence):
            before = stop.state
            step = apply(stop, event, 0.01 * (k + 1))
            if step is not None and step.stage is not stages[-1]:
                stages.append(step.stage)
            if before is LadderState.UNDER_WAY and stop.state is LadderState.PROVEN:
                proven += 1
                assert_proof(sequence[: k + 1])
        if stop.state is LadderState.EXHAUSTED:
            exhausted += 1
            assert stages == [CANCEL, DRIVER_STOP]
    assert proven > 100
    assert exhausted > 100


def assert_proof(sequence: tuple[tuple[object, ...], ...]) -> None:
    """Said anew, from the whole sequence instead of step by step."""
    fresh = max((k for k, event in enumerate(sequence) if event == ("again",)), default=-1)
    accepted = [k for k, event in enumerate(sequence) if event[0] == "answer" and event[2] and k > fresh]
    assert accepted
    broken = max((k for k, event in enumerate(sequence) if event in (("fast",), ("gap",))), default=-1)
    assert sum(event == ("slow",) for event in sequence[max(accepted[0], broken) :]) >= 2
    left = [event for event in sequence if event in (("goal",), ("no goal",))]
    overruled = any(sequence[k][1] is DRIVER_STOP for k in accepted)
    assert overruled or not left or left[-1] == ("no goal",)


@pytest.mark.parametrize("name", ["simulated_widowx", "interbotix_wx250s", "jaka_s5"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_has_happened_ticks_alone_bring_every_shipped_ladder_to_an_end(name: str, data: st.DataObject) -> None:
    driver = load_driver(name)
    stop, now = StopLadder(driver.stop, driver.rest), 0.0
    stop.begin(now)
    for event in data.draw(st.lists(st.sampled_from(EVENTS), max_size=30)):
        now += data.draw(st.floats(0.0, 0.3))
        apply(stop, event, now)
    longest = len(driver.stop) * (max(step.deadline for step in driver.stop) + driver.rest.deadline)
    end = now + 0.2 + longest
    while stop.state is LadderState.UNDER_WAY:
        now += 0.02
        stop.tick(now)
        assert now < end + 0.1
