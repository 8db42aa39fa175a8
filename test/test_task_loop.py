"""The task loop with a robot and a source of slices made of arithmetic, so that any course of events can be had."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from task_world import World, stopped

from ams_ros.errors import ConfigurationError, InferenceError, RobotError
from ams_ros.supervision.course import slice_seed
from ams_ros.supervision.rest import RestDetector, RestThresholds
from ams_ros.supervision.task_loop import parse_mode
from ams_ros.types import (
    Guidance,
    JointSample,
    Mode,
    Outcome,
    Phase,
    SliceRequest,
)


def test_the_budget_is_spent_to_the_step_even_when_it_is_no_multiple_of_a_slice():
    world = World(execute=8)
    result = world.run(budget=20)
    assert (result.outcome, result.steps, result.inferences) == (Outcome.BUDGET_SPENT, 20, 3)
    assert [executed.horizon for executed in world.robot.executed] == [8, 8, 4]


def test_a_policy_that_moves_nothing_ends_the_task_at_rest():
    world = World(stride=0.0)
    result = world.run(budget=1500)
    assert result.outcome is Outcome.AT_REST
    assert result.inferences == RestThresholds().slices


def test_one_moving_slice_begins_the_count_of_still_ones_anew():
    world = World(stride=0.0)

    def move_on():
        world.source.stride = 0.01

    def stand_still():
        world.source.stride = 0.0

    world.source.events = {3: move_on, 4: stand_still}
    assert world.run(budget=1500).inferences == 4 + RestThresholds().slices


def test_the_noise_seed_of_every_slice_is_its_own_and_repeats_with_the_task_seed():
    first, second, other = World(), World(), World()
    first.run(seed=1), second.run(seed=1), other.run(seed=2)
    seeds = [asked.seed for asked in first.source.asked]
    assert len(set(seeds)) == len(seeds)
    assert second.source.asked == first.source.asked
    assert {asked.seed for asked in other.source.asked}.isdisjoint(seeds)


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_below_one_fails_before_anything_is_inferred(budget):
    world = World()
    result = world.run(budget=budget)
    assert result.outcome is Outcome.FAILED
    assert "step_budget" in result.message
    assert str(budget) in result.message
    assert (world.source.asked, world.robot.executed) == ([], [])


@pytest.mark.parametrize(
    "error", [InferenceError("camera front is silent"), ConfigurationError("instruction", "x", "y")]
)
def test_what_the_source_cannot_do_is_the_result_and_nothing_is_executed_after(error):
    world = World()
    world.source.events = {2: error}
    result = world.run()
    assert (result.outcome, result.message) == (Outcome.FAILED, str(error))
    assert (result.inferences, result.steps) == (2, 16)


def test_what_the_robot_cannot_do_is_the_result():
    world = World()
    world.robot.events = {1: RobotError("the arm controller is not there")}
    result = world.run()
    assert (result.outcome, result.message, result.steps) == (Outcome.FAILED, "the arm controller is not there", 8)


def test_an_execution_that_breaks_off_fails_the_task_and_its_steps_count():
    world = World()
    world.robot.events = {1: lambda: None}
    result = world.run()
    assert (result.outcome, result.message, result.steps) == (Outcome.FAILED, "the arm was stopped halfway", 12)


def test_a_stop_before_the_task_begins_does_nothing():
    world = World()
    world.stop.request("no")
    result = world.run()
    assert (result.outcome, result.message, world.source.asked) == (Outcome.CANCELED, "no", [])


def test_a_stop_while_inferring_executes_nothing_more():
    world = World()
    world.source.events = {1: lambda: world.stop.request("enough")}
    result = world.run()
    assert (result.outcome, result.message, result.steps) == (Outcome.CANCELED, "enough", 8)
    assert len(world.robot.executed) == 1


def broken_off(world, error):
    def event():
        world.stop.request("enough")
        raise error

    return event


def test_a_wait_for_inference_that_the_stop_broke_off_is_no_failure():
    world = World()
    world.source.events = {1: broken_off(world, InferenceError("stopped while inferring"))}
    result = world.run()
    assert (result.outcome, result.message, result.steps) == (Outcome.CANCELED, "enough", 8)


def test_an_arm_whose_stop_is_not_confirmed_is_a_failure_even_when_the_task_was_canceled():
    world = World()
    world.robot.events = {1: broken_off(world, RobotError("the controller did not confirm that it stopped"))}
    result = world.run()
    assert (result.outcome, result.message) == (Outcome.FAILED, "the controller did not confirm that it stopped")


def test_a_stop_while_executing_counts_the_steps_that_were_run():
    world = World()
    world.robot.events = {1: lambda: world.stop.request("enough")}
    result = world.run()
    assert (result.outcome, result.message, result.steps, result.inferences) == (Outcome.CANCELED, "enough", 12, 2)


def test_of_several_reasons_to_stop_the_first_one_is_told():
    world = World()

    def both():
        world.stop.request("first")
        world.stop.request("second")

    world.source.events = {0: both}
    assert world.run().message == "first"


def test_progress_alternates_between_inferring_and_executing_and_ends_once():
    world = World()
    world.run(budget=16)
    phases = [each.phase for each in world.progress]
    assert phases == [Phase.INFERRING, Phase.EXECUTING] * 2 + [Phase.ENDED]
    assert [each.step for each in world.progress] == [0, 0, 8, 8, 16]
    assert [each.slice for each in world.progress] == [0, 1, 1, 2, 2]


def test_seconds_are_those_of_the_clock_and_policy_seconds_the_part_spent_inferring():
    result = World(seconds=0.5).run(budget=16)
    assert result.policy_seconds == pytest.approx(1.0)
    assert result.seconds == pytest.approx(1.0 + 16 * 0.05)


def test_two_tasks_of_one_loop_share_no_count():
    world = World(stride=0.0)
    first, second = world.run(), world.run()
    assert (first.inferences, first.steps) == (second.inferences, second.steps)


def test_an_unknown_mode_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"mode.*'fast'.*direct, reset, context, exception, ams"):
        parse_mode("fast")
    assert parse_mode("direct") is Mode.DIRECT
    assert parse_mode("exception") is Mode.EXCEPTION


def test_a_direct_task_bypasses_the_pool_in_every_slice():
    world = World()
    world.run(budget=24, episode="ep")
    assert [(asked.bypass, asked.guidance) for asked in world.source.asked] == [(True, None)] * 3


@pytest.mark.parametrize("mode", [Mode.CONTEXT, Mode.EXCEPTION])
def test_a_context_task_uses_the_pool_and_numbers_its_slices_within_the_episode(mode):
    world = World()
    world.run(budget=24, mode=mode, episode="ep")
    assert world.source.asked == [
        SliceRequest("put the cubes in the bowl", slice_seed(7, index), "ep", index) for index in range(3)
    ]


@pytest.mark.parametrize("mode", [Mode.CONTEXT, Mode.EXCEPTION])
def test_only_the_first_slices_of_a_task_are_guided(mode):
    world, guidance = World(), Guidance("similar", 0.5)
    world.run(budget=32, mode=mode, episode="ep", guidance=guidance, guided_slices=2)
    assert [asked.guidance for asked in world.source.asked] == [guidance, guidance, None, None]


@pytest.mark.parametrize(
    ("key", "arguments"),
    [
        ("guidance", {"mode": Mode.DIRECT, "guidance": Guidance("similar", 0.5), "guided_slices": 1}),
        ("guided_slices", {"mode": Mode.CONTEXT, "guidance": Guidance("similar", 0.5)}),
        ("guided_slices", {"mode": Mode.CONTEXT, "guided_slices": 2}),
        ("guided_slices", {"mode": Mode.EXCEPTION, "guided_slices": 2}),
    ],
)
def test_guidance_that_could_have_no_effect_is_refused_before_anything_is_inferred(key, arguments):
    world = World()
    result = world.run(**arguments)
    assert result.outcome is Outcome.FAILED
    assert result.message.startswith(key)
    assert world.source.asked == []


@settings(deadline=None)
@given(
    budget=st.integers(1, 400),
    horizon=st.integers(1, 32),
    data=st.data(),
    stop_at=st.none() | st.integers(0, 20),
    exceptions=st.sets(st.integers(0, 20)),
)
def test_whatever_happens_steps_stay_within_the_budget_and_the_task_ends(budget, horizon, data, stop_at, exceptions):
    stride = data.draw(st.sampled_from([0.0, 1e-4, 0.01]))
    execute = data.draw(st.integers(1, horizon))
    world = World(horizon=horizon, execute=execute, stride=stride)
    if stop_at is not None:
        world.source.events = {stop_at: lambda: world.stop.request("enough")}
    world.robot.events = {number: stopped(number) for number in exceptions}
    result = world.run(budget=budget, mode=Mode.EXCEPTION)
    assert 0 <= result.steps <= budget
    run = [executed.horizon // (2 if k in exceptions else 1) for k, executed in enumerate(world.robot.executed)]
    assert result.steps == sum(run)
    assert result.exceptions == sum(k < len(run) for k in exceptions)
    assert result.inferences == len(world.source.asked)
    assert result.outcome in {Outcome.BUDGET_SPENT, Outcome.AT_REST, Outcome.CANCELED}
    assert (result.outcome is Outcome.CANCELED) == world.stop.requested
    if result.outcome is Outcome.BUDGET_SPENT:
        assert result.steps == budget
    assert world.progress[-1].phase is Phase.ENDED
    assert sum(each.phase is Phase.ENDED for each in world.progress) == 1
    assert [each.step for each in world.progress] == sorted(each.step for each in world.progress)


@given(changes=st.lists(st.tuples(st.floats(0, 0.01), st.floats(0, 0.003)), max_size=30), slices=st.integers(1, 6))
def test_rest_is_reached_exactly_when_so_many_slices_in_a_row_stayed_below_both_thresholds(changes, slices):
    thresholds = RestThresholds(slices=slices)
    detector = RestDetector(thresholds)
    still = 0
    for arm, gripper in changes:
        before, after = np.zeros(7), np.zeros(7)
        after[2], after[6] = -arm, gripper
        moved = arm > thresholds.arm or gripper > thresholds.gripper
        still = 0 if moved else still + 1
        names = tuple("abcdefg")
        assert detector.observe(JointSample(0, names, before), JointSample(1, names, after)) == (still >= slices)


@pytest.mark.parametrize("wrong", [{"arm": 0.0}, {"gripper": -1.0}, {"slices": 0}])
def test_thresholds_that_could_never_or_always_fire_are_refused(wrong):
    ((key, value),) = wrong.items()
    with pytest.raises(ConfigurationError, match=rf"rest\.{key}.*{value}"):
        RestThresholds(**wrong)


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000))
def test_slice_seeds_stay_in_range_and_differ_between_neighbours(seed, index):
    here = slice_seed(seed, index)
    assert 0 <= here < 2**63
    assert here != slice_seed(seed, index + 1)
