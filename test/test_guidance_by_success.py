"""Guidance by success (R4): the episode that began most like the present, and then the next ones, by rank."""

from __future__ import annotations

import numpy as np
import policy_fixtures
import pytest
from policy_fixtures import observation
from reuse_world import ReuseWorld, other_pixel

from ams_ros.context.records import ContextOutcome
from ams_ros.errors import ConfigurationError
from ams_ros.policy.pi0 import load_policy
from ams_ros.types import SIMILAR, SUCCESS, CameraImage, Guidance, GuidanceVariant

SUCCEEDED, FAILED = ContextOutcome.SUCCEEDED, ContextOutcome.FAILED


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return load_policy(policy_fixtures.save_small_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture
def world(policy):
    world = ReuseWorld(policy)
    yield world
    world.close()


def blend(near, far, share):
    """A situation between two; share 0 is the first."""
    images = {
        name: CameraImage(
            name, 0.0, np.uint8((1.0 - share) * image.pixels.astype(float) + share * far.images[name].pixels)
        )
        for name, image in near.images.items()
    }
    joints = (1.0 - share) * near.joints + share * far.joints
    return type(near)(near.stamp, near.instruction, joints, near.gripper, images)


@pytest.fixture
def present():
    return observation(seed=1)


@pytest.fixture
def named(world, present):
    """Three successes that began ever less like the present, by name of their episode; two slices each."""
    far = observation(seed=2)
    begun = {}
    for place, episode in enumerate(("nearest", "middle", "farthest")):
        seen = blend(present, far, 0.2 + 0.3 * place)
        begun[episode] = world.infer(seen, seed=place, episode=episode).slice.context_id
        # What follows looks just like the present, and still is no beginning.
        world.infer(present, seed=10 + place, episode=episode, index=1)
        world.pool.set_outcome(episode, SUCCEEDED)
    return begun


def by_success(world, seen, rank=0, start_time=0.5, **request):
    return world.infer(seen, seed=99, guidance=Guidance(SUCCESS, start_time, rank=rank), **request).reuse


def test_r4_ranks_are_the_successes_by_how_they_began_each_episode_once(world, present, named):
    reports = [by_success(world, present, rank) for rank in range(3)]
    assert [report.guided_episode for report in reports] == ["nearest", "middle", "farthest"]
    assert [report.guided_by for report in reports] == list(named.values())
    assert all((report.start_time, report.steps, report.message) == (0.5, 5, "") for report in reports)
    cosines = [report.similarity for report in reports]
    assert cosines == sorted(cosines, reverse=True)
    assert len(set(cosines)) == 3


def test_r4_beyond_the_last_success_denoising_starts_from_noise_and_the_report_says_so(world, present, named):
    for rank in (3, 50, 999_999):
        report = by_success(world, present, rank)
        assert (report.guided_by, report.guided_episode, report.start_time) == ("", "", 1.0)
        assert f"3 episodes that succeeded with this instruction can guide, rank {rank}" in report.message


def test_without_any_success_denoising_starts_from_noise_and_the_report_says_so(world, present):
    world.infer(present, episode="nobody-knows")
    report = by_success(world, present)
    assert (report.guided_by, report.start_time) == ("", 1.0)
    assert "0 episodes that succeeded" in report.message


def test_what_failed_has_another_instruction_or_belongs_to_no_episode_does_not_guide(world, present, named):
    world.pool.set_outcome("nearest", FAILED)
    lone = world.infer(present).slice.context_id
    world.pool.set_outcome(lone, SUCCEEDED)
    assert by_success(world, present).guided_episode == "middle"
    other = type(present)(present.stamp, "put cubes in the bowl", present.joints, present.gripper, present.images)
    assert by_success(world, other).guided_by == ""


def test_a_later_slice_of_the_chosen_episode_is_asked_for_by_the_episodes_name(world, present, named):
    """So an attempt goes on: slice 0 by success, the next by the episode that guided it."""
    chosen = by_success(world, present, rank=1, episode="attempt", index=0).guided_episode
    follow = world.infer(present, seed=5, episode="attempt", index=1, guidance=Guidance(chosen, 0.5)).reuse
    assert (follow.guided_episode, follow.start_time) == ("middle", 0.5)
    assert world.pool.record(follow.guided_by).index == 1


def test_similar_and_a_named_context_report_their_episode_too(world, present, named):
    assert world.infer(present, guidance=Guidance(SIMILAR, 0.5)).reuse.guided_episode in named
    report = world.infer(present, guidance=Guidance(named["farthest"], 0.5)).reuse
    assert report.guided_episode == "farthest"


def test_an_attempt_that_was_guided_itself_guides_again_from_the_same_flow_time(world, present, named):
    seen = other_pixel(present, "front")
    assert by_success(world, seen, episode="attempt").guided_episode == "nearest"
    world.pool.set_outcome("attempt", SUCCEEDED)
    again = by_success(world, seen)
    assert (again.guided_episode, again.start_time, again.steps, again.message) == ("attempt", 0.5, 5, "")


def test_a_success_that_cannot_serve_gives_its_rank_to_the_next(world, present, named):
    by_success(world, present, start_time=0.3, episode="late")  # has no latent at 0.5
    world.pool.set_outcome("late", SUCCEEDED)
    assert [by_success(world, present, rank).guided_episode for rank in range(3)] == ["nearest", "middle", "farthest"]
    exhausted = by_success(world, present, rank=3)
    assert exhausted.guided_by == ""
    assert "began at time 0.3" in exhausted.message
    renoised = Guidance(SUCCESS, 0.5, GuidanceVariant.RENOISED)
    assert world.infer(present, guidance=renoised).reuse.guided_episode == "late"


def test_a_slice_that_was_asked_for_twice_began_one_episode(world, present, named):
    world.infer(present, seed=7, episode="nearest")
    world.pool.set_outcome("nearest", SUCCEEDED)
    assert [by_success(world, present, rank).guided_episode for rank in range(3)] == ["nearest", "middle", "farthest"]


def test_a_rank_needs_success_and_is_not_negative():
    for reference, rank in ((SIMILAR, 1), ("episode-1", 2), (SUCCESS, -1), (SUCCESS, 10**6)):
        with pytest.raises(ConfigurationError, match="guidance rank"):
            Guidance(reference, 0.5, rank=rank)
