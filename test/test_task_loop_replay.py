"""The task loop in the modes that replay, in a world of arithmetic (R1-R3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_world import CUBES, IDLE, PROFILE, WANDERS, ReplayWorld
from task_world import World, stopped

from ams_ros.errors import InferenceError, RobotError
from ams_ros.replay.settings import ReplaySettings
from ams_ros.types import SUCCESS, EventKind, Guidance, Mode, Outcome, Phase

REPLAYED = [Mode.RESET, Mode.AMS]


@pytest.mark.parametrize("mode", REPLAYED)
def test_a_policy_that_idles_from_the_first_step_is_found_out_without_moving_anything_r1(mode):
    world = ReplayWorld()
    result = world.run(mode=mode)
    assert (result.outcome, result.steps, result.replays) == (Outcome.EXHAUSTED, 0, 0)
    assert result.inferences <= ReplaySettings().tries
    assert (world.robot.executed, world.robot.followed) == ([], [])


def test_job_after_job_is_done_by_a_policy_that_can_do_one():
    world = ReplayWorld(3, 3, 3)
    result = world.run(jobs=3)
    assert (result.outcome, result.replays, len(result.job_steps)) == (Outcome.FINISHED, 2, 3)
    assert result.message == "3 jobs were seen done"
    assert world.pool.written == [("ep.0", True), ("ep.1", True), ("ep.2", True)]


def test_a_job_that_was_seen_done_ends_its_attempt_at_once():
    world = ReplayWorld(3, 2)
    result = world.run(jobs=2)
    assert [executed.horizon for executed in world.robot.executed] == [8] * 5
    back = 24 * 0.01 / 0.1
    assert result.job_steps == (24, 24 + int(back + 1) + 16)
    assert result.steps == result.job_steps[-1]


def test_once_as_many_jobs_as_asked_for_were_seen_nothing_moves_any_more():
    world = ReplayWorld(3)
    assert world.run(jobs=1).outcome is Outcome.FINISHED
    assert world.robot.followed == []
    assert world.watch.calls == ["begin", "executing", "executing", "executing"]


def test_a_users_own_judgement_ends_the_task_whatever_the_robot_saw():
    world = ReplayWorld(WANDERS, WANDERS)
    world.watch.judge = lambda step, attempt: "the table is empty" if attempt == 1 else None
    result = world.run()
    assert (result.outcome, result.message) == (Outcome.FINISHED, "the table is empty")
    assert world.pool.written == [("ep.0", False), ("ep.1", False)]


def test_whoever_judges_is_asked_after_every_slice():
    world = ReplayWorld(WANDERS)
    world.watch.judge = lambda step, attempt: "the table is empty" if step >= 16 else None
    result = world.run()
    assert (result.outcome, result.steps) == (Outcome.FINISHED, 16)


def test_each_attempt_is_an_episode_of_its_own_with_slices_from_0_on():
    world = ReplayWorld(2, 2)
    world.run(jobs=2)
    assert [(asked.episode, asked.index) for asked in world.source.asked] == [
        ("ep.0", 0),
        ("ep.0", 1),
        ("ep.0", 2),
        ("ep.1", 0),
        ("ep.1", 1),
    ]
    assert len({asked.seed for asked in world.source.asked}) == 5


def test_a_policy_that_goes_home_after_its_job_is_let_until_it_is_there():
    world = ReplayWorld(3, 3, homing=True)
    result = world.run(jobs=2)
    there, home = 24, 11
    assert result.job_steps == (there, there + home + there)
    assert [executed.horizon for executed in world.robot.executed[3:5]] == [8, 3]
    assert world.robot.followed == []
    assert world.told(EventKind.RETURNED)[0].message == "at the start pose after 11 steps"


def test_one_that_does_not_go_home_is_brought_there_at_once():
    world = ReplayWorld(3, 3)
    world.run(jobs=2)
    assert len(world.robot.followed) == 1
    assert [asked.index for asked in world.source.asked] == [0, 1, 2, 3, 0, 1, 2]


def test_the_first_slices_of_an_attempt_are_guided_by_one_and_the_same_success_r3():
    world = ReplayWorld(4, stored=["near", "far"], settings=ReplaySettings(warm=2, start_time=0.4))
    world.run(jobs=1)
    assert [asked.guidance for asked in world.source.asked] == [
        Guidance(SUCCESS, 0.4),
        Guidance("near", 0.4),
        None,
        None,
    ]


def test_successes_are_tried_one_by_one_and_a_new_one_begins_with_the_nearest_again_r3():
    world = ReplayWorld(IDLE, IDLE, 2, IDLE, stored=["a", "b", "c"])
    result = world.run()
    assert world.guides == ["a", "b", "c", "ep.2", "a", "b", "c", ""]
    assert result.outcome is Outcome.EXHAUSTED
    asked = [asked.guidance for asked in world.source.asked if asked.index == 0]
    assert [(guidance.reference, guidance.rank) for guidance in asked[:-1]] == [
        (SUCCESS, rank) for rank in (0, 1, 2, 0, 1, 2, 3)
    ]


def test_where_there_are_fewer_successes_than_tries_the_rest_is_from_noise():
    world = ReplayWorld(stored=["only"])
    assert world.run().outcome is Outcome.EXHAUSTED
    assert world.guides == ["only", "", ""]


def test_a_success_that_comes_up_in_another_place_is_not_tried_again():
    world = ReplayWorld(IDLE, WANDERS, stored=["a", "b"])
    world.source.events = {1: lambda: world.pool.stored[CUBES].insert(0, "new")}
    result = world.run()
    assert world.guides[:2] == ["a", "a"]
    assert result.steps == 0, "the second attempt was made although its success had been tried"


def test_when_the_whole_tasks_instruction_is_exhausted_each_parts_own_is_told_r3():
    world = ReplayWorld(IDLE, IDLE, IDLE, IDLE, 2, IDLE, parts=("put cubes away", "pull cups down"))
    result = world.run()
    assert world.instructions == [
        *[CUBES] * 2,
        *["put cubes away"] * 2,
        # This one brought a job, so it is tried first again, and guided by that job's attempt.
        *["pull cups down"] * 4,
        *[CUBES] * 2,
        *["put cubes away"] * 2,
    ]
    assert world.guides[5] == "ep.4"
    assert result.outcome is Outcome.EXHAUSTED


def test_in_mode_reset_every_attempt_is_from_noise_past_the_pool_and_nothing_is_written_down():
    world = ReplayWorld(2, WANDERS, stored=["a"], parts=("part",))
    world.run(mode=Mode.RESET)
    assert {(asked.bypass, asked.guidance, asked.episode) for asked in world.source.asked} == {(True, None, "")}
    assert set(world.instructions) == {CUBES}
    assert world.pool.written == []


def test_an_attempt_that_goes_nowhere_is_cut_off_sooner_once_another_succeeded():
    short = ReplaySettings(attempt_first=80, attempt_least=20, attempt_factor=2.0, tries=1, unguided=1)
    world = ReplayWorld(2, WANDERS, settings=short)
    result = world.run()
    assert result.outcome is Outcome.EXHAUSTED
    assert len(world.robot.executed) == 2 + 4
    assert len(ReplayWorld(WANDERS, settings=short).run().job_steps) == 0
    first = ReplayWorld(WANDERS, settings=short)
    first.run()
    assert len(first.robot.executed) == 10


@pytest.mark.parametrize(("held", "steps"), [(0.024, 60), (0.0, 40)])
def test_an_attempt_is_not_cut_off_while_something_is_held_but_for_half_its_bound_more(held, steps):
    short = ReplaySettings(attempt_first=40, tries=1, unguided=1)
    world = ReplayWorld(WANDERS, settings=short, fingers=PROFILE.gripper.lower)
    world.robot.held = held
    world.run()
    (replay,) = world.told(EventKind.REPLAY)
    # Slices have 8 steps, so the bound is met at a slice's end.
    assert replay.message == f"{-(-steps // 8) * 8} steps have brought nothing"


def test_an_attempt_whose_hold_has_come_to_nothing_is_cut_off_at_once():
    short = ReplaySettings(attempt_first=16, tries=1, unguided=1)
    world = ReplayWorld(WANDERS, settings=short, fingers=PROFILE.gripper.lower)
    world.robot.held = 0.024
    world.source.events = {2: lambda: setattr(world.robot, "held", 0.0)}
    world.run()
    assert world.told(EventKind.REPLAY)[0].message == "24 steps have brought nothing"


def test_a_task_with_jobs_left_goes_on_while_its_attempts_move_something():
    short = ReplaySettings(attempt_first=8, tries=2, unguided=1)
    fruitless = (WANDERS,) * 9
    assert ReplayWorld(*fruitless, 1, settings=short).run(jobs=1).outcome is Outcome.FINISHED
    assert ReplayWorld(*fruitless, 1, settings=short).run().outcome is Outcome.EXHAUSTED
    spent = ReplayWorld(*(WANDERS,) * 99, settings=short).run(budget=100, jobs=1)
    assert (spent.outcome, spent.steps) == (Outcome.BUDGET_SPENT, 100)


@pytest.mark.parametrize("mode", REPLAYED)
def test_a_task_with_jobs_left_ends_once_so_many_attempts_in_a_row_moved_nothing(mode):
    world = ReplayWorld(IDLE, WANDERS, IDLE, IDLE, settings=ReplaySettings(attempt_first=8, tries=3))
    assert world.run(jobs=1, mode=mode).outcome is Outcome.EXHAUSTED
    assert world.source.begun == 4, "one that idles, one that moves, three that idle"


def test_a_stop_flag_is_held_back_until_a_second_slice_agrees_r2():
    world = ReplayWorld(WANDERS, stops={2})
    world.run(budget=64)
    assert len(world.robot.executed) == 8, "one flag alone ended the attempt"
    world = ReplayWorld(WANDERS, stops={2, 3})
    world.run(budget=64)
    assert world.told(EventKind.REPLAY)[0].step == 16


@pytest.mark.parametrize("mode", [Mode.DIRECT, Mode.CONTEXT, Mode.EXCEPTION])
def test_in_modes_that_do_not_replay_the_policys_stop_flag_ends_the_task(mode):
    world = ReplayWorld(WANDERS, stops={2})
    result = world.run(mode=mode)
    assert (result.outcome, result.steps) == (Outcome.AT_REST, 24)


@pytest.mark.parametrize("mode", [Mode.DIRECT, Mode.CONTEXT, Mode.EXCEPTION])
def test_in_modes_that_do_not_replay_jobs_are_counted_and_end_nothing(mode):
    world = ReplayWorld(2)
    result = world.run(mode=mode, jobs=1)
    assert (result.outcome, result.job_steps, result.replays) == (Outcome.AT_REST, (16,), 0)
    assert [event.step for event in world.told(EventKind.JOB)] == [16]


@pytest.mark.parametrize("mode", [Mode.CONTEXT, Mode.EXCEPTION])
def test_a_success_that_guides_a_tasks_first_slice_goes_on_guiding_it(mode):
    world = ReplayWorld(WANDERS, stored=["near"])
    world.run(budget=32, mode=mode, guidance=Guidance(SUCCESS, 0.5), guided_slices=2)
    assert [asked.guidance for asked in world.source.asked[:3]] == [Guidance(SUCCESS, 0.5), Guidance("near", 0.5), None]
    world = ReplayWorld(WANDERS)
    world.run(budget=32, mode=mode, guidance=Guidance(SUCCESS, 0.5), guided_slices=2)
    assert [asked.guidance for asked in world.source.asked[:3]] == [Guidance(SUCCESS, 0.5), None, None]


def test_a_replaying_mode_refuses_guidance_as_it_chooses_its_own():
    world = ReplayWorld()
    result = world.run(guidance=Guidance("similar", 0.5), guided_slices=1)
    assert result.outcome is Outcome.FAILED
    assert result.message.startswith("guidance")


@pytest.mark.parametrize("mode", REPLAYED)
def test_modes_that_replay_are_refused_where_nothing_can(mode):
    result = World().run(mode=mode)
    assert result.outcome is Outcome.FAILED
    assert result.message.startswith("mode")


@pytest.mark.parametrize("error", [RobotError("the arm is silent"), InferenceError("the camera is silent")])
def test_what_fails_in_an_attempt_is_the_result_and_the_attempt_is_not_written_down(error):
    world = ReplayWorld(2, WANDERS)
    world.source.events = dict.fromkeys((3, 4), error)
    result = world.run()
    assert (result.outcome, result.message) == (Outcome.FAILED, str(error))
    assert world.pool.written == [("ep.0", True)]


def test_a_slice_that_an_exception_broke_off_ends_the_guidance_of_its_attempt():
    world = ReplayWorld(4, stored=["near"])
    world.robot.events = {0: stopped(1)}
    world.run(jobs=1)
    assert [asked.guidance is not None for asked in world.source.asked[:2]] == [True, False]


@pytest.mark.parametrize("mode", [Mode.CONTEXT, Mode.AMS])
def test_a_success_that_is_lost_while_it_guides_is_done_without(mode):
    world = ReplayWorld(4, stored=["near"])
    world.source.events = {1: InferenceError("episode near is not there")}
    guidance = {} if mode is Mode.AMS else {"guidance": Guidance(SUCCESS, 0.5), "guided_slices": 2}
    result = world.run(mode=mode, jobs=1, **guidance)
    assert result.outcome is not Outcome.FAILED
    assert [(asked.index, asked.guidance) for asked in world.source.asked[1:3]] == [
        (1, Guidance("near", 0.5)),
        (1, None),
    ]
    assert world.told(EventKind.SLICE)[1].message == "from noise, as episode near is not there"


# What is told.


def test_the_timeline_tells_slices_jobs_replays_returns_and_the_end_in_order():
    world = ReplayWorld(2, 1)
    world.run(jobs=2)
    told = [(event.kind, event.attempt, event.step) for event in world.events]
    assert told == [
        (EventKind.SLICE, 0, 0),
        (EventKind.SLICE, 0, 8),
        (EventKind.JOB, 0, 16),
        (EventKind.REPLAY, 0, 16),
        (EventKind.SLICE, 0, 16),
        (EventKind.RETURNED, 0, 18),
        (EventKind.SLICE, 1, 18),
        (EventKind.JOB, 1, 26),
        (EventKind.ENDED, 1, 26),
    ]
    assert [status.phase for status in world.progress if status.phase is Phase.REPLAYING] == [Phase.REPLAYING]
    assert world.progress[-1].jobs == 2


@settings(deadline=None)
@given(
    plan=st.lists(st.sampled_from([IDLE, WANDERS, 1, 2, 5, 20]), max_size=12),
    held=st.tuples(st.integers(0, 5), st.integers(0, 2)),
    asked=st.tuples(st.sampled_from(REPLAYED), st.integers(1, 1500), st.integers(0, 6)),
    exceptions=st.sets(st.integers(0, 40), max_size=4),
    stop_at=st.none() | st.integers(0, 60),
)
def test_whatever_attempts_bring_the_task_ends_within_its_budget_and_every_attempt_is_written_down_once(
    plan, held, asked, exceptions, stop_at
):
    (stored, parts), (mode, budget, wanted) = held, asked
    short = ReplaySettings(attempt_first=60, attempt_least=20)
    instructions = tuple(f"part {number}" for number in range(parts))
    world = ReplayWorld(*plan, stored=[f"s{number}" for number in range(stored)], parts=instructions, settings=short)
    world.robot.events = {number: stopped(number) for number in exceptions}
    if stop_at is not None:
        world.source.events = {stop_at: lambda: world.stop.request("enough")}
    result = world.run(budget=budget, mode=mode, jobs=wanted)
    assert 0 <= result.steps <= budget
    assert result.outcome in {*_ENDS, Outcome.FAILED} if exceptions else result.outcome in _ENDS
    if result.outcome is Outcome.FAILED:
        assert mode is Mode.RESET, result.message
    if result.outcome is Outcome.FINISHED:
        assert len(result.job_steps) >= wanted > 0
    assert list(result.job_steps) == sorted(result.job_steps)
    assert sum(event.kind is EventKind.ENDED for event in world.events) == 1
    assert [event.step for event in world.events] == sorted(event.step for event in world.events)
    assert world.progress[-1].phase is Phase.ENDED
    _check_book(world, mode)
    if wanted == 0:
        _check_order(world, short, parts + 1 if mode is Mode.AMS else 1, guided=mode is Mode.AMS)


_ENDS = {Outcome.FINISHED, Outcome.EXHAUSTED, Outcome.BUDGET_SPENT, Outcome.CANCELED}


def _check_book(world, mode):
    """Each attempt at most once, in order; only the last may be left out, and none else."""
    episodes = [episode for episode, _ in world.pool.written]
    begun = list(dict.fromkeys(asked.episode for asked in world.source.asked)) if mode is Mode.AMS else []
    assert episodes in (begun, begun[:-1])
    done = {f"ep.{attempt}" for attempt in world.watch.done_in}
    if mode is Mode.AMS:
        assert {episode for episode, succeeded in world.pool.written if succeeded} == done


def _check_order(world, bounds, instructions, *, guided):
    """Between two successes: no success guides twice, and attempts stay within their bounds."""
    since, tried = 0, set()
    for number, guide in enumerate(world.guides):
        moved = any(
            event.attempt == number and event.kind is EventKind.SLICE and event.slice > 0 for event in world.events
        )
        if guide:
            assert guide not in tried or not moved
            tried.add(guide)
        since += 1
        assert since <= bounds.tries * instructions
        if number in world.watch.done_in:
            since, tried = 0, set()
    assert guided or not any(world.guides)
