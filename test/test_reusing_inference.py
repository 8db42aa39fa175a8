"""Inference with a context pool (C1, C2, C7), with a real policy and a real pool in one process."""

import copy
import threading
from dataclasses import replace

import numpy as np
import policy_fixtures
import pytest
from policy_fixtures import INSTRUCTION, observation
from reuse_world import ReuseWorld, other_pixel

from ams_ros.context.records import ContextOutcome, VectorKind
from ams_ros.context.store import FetchedVector
from ams_ros.errors import ConfigurationError, InferenceError
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.types import Guidance, GuidanceVariant, SliceRequest

COMPUTED = ["lookup", "encode", "prefix", "denoise", "decode"]
REUSED = ["lookup", "denoise", "decode"]


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return load_policy(policy_fixtures.save_small_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture
def world(policy):
    world = ReuseWorld(policy)
    yield world
    world.close()


def stages(inference):
    return [stage.stage for stage in inference.stages]


def plain(policy, seen, seed=1):
    return SliceInference(policy).infer(seen, SliceRequest(seen.instruction, seed)).slice


def assert_same(one, other):
    np.testing.assert_array_equal(one.joints, other.joints)
    np.testing.assert_array_equal(one.gripper, other.gripper)


def test_an_observation_that_was_never_seen_gives_what_plain_inference_gives_and_is_stored(world):
    seen = observation()
    first = world.infer(seen, episode="ep", index=3)
    assert_same(first.slice, plain(world.policy, seen))
    assert stages(first) == COMPUTED
    report = first.reuse
    assert (report.pool, report.message, report.stored) == ("connected", "", True)
    assert (report.vision_exact, report.prefix, report.tiers, report.bytes_reused) == ((), "", (), 0)
    assert (report.start_time, report.steps, report.guided_by) == (1.0, 10, "")
    assert report.seconds_saved == -report.lookup_seconds < 0.0


def test_c1_a_stored_context_holds_everything_of_its_inference(world):
    seen = observation()
    first = world.infer(seen, seed=5, episode="ep", index=3)
    policy = world.policy
    features = policy.encode_cameras(seen)
    prefix = policy.build_prefix(seen, features)
    denoising = policy.denoise(seen, prefix, policy.draw_noise(5))
    stored = world.store.context(world.inference.model_key, "ep", 3, tuple(VectorKind))
    record = stored.record
    assert (record.context_id, record.episode, record.index, record.seed) == (first.slice.context_id, "ep", 3, 5)
    assert (record.instruction, record.outcome, record.start_time) == (INSTRUCTION, ContextOutcome.UNKNOWN, 1.0)
    np.testing.assert_array_equal(record.joints, seen.joints)
    expected = {
        (VectorKind.PREFIX, ""): policy.prefix_to_host(prefix),
        (VectorKind.LATENTS, ""): denoising.latents,
        (VectorKind.TIMES, ""): denoising.times,
        (VectorKind.OUTPUT, ""): denoising.output,
        (VectorKind.JOINTS, ""): first.slice.joints,
        (VectorKind.GRIPPER, ""): first.slice.gripper,
    } | {(VectorKind.VISION, camera): array for camera, array in policy.features_to_host(features).items()}
    assert {(vector.kind, vector.name) for vector in stored.vectors} == set(expected)
    for vector in stored.vectors:
        np.testing.assert_array_equal(vector.array, expected[vector.kind, vector.name])


def test_c2_the_same_pictures_and_words_reuse_the_whole_prefix_and_give_the_very_same_slice(world):
    seen = observation()
    first = world.infer(seen)
    again = world.infer(replace(seen, stamp=9.0))
    assert_same(again.slice, first.slice)
    assert stages(again) == REUSED
    report = again.reuse
    assert (report.vision_exact, report.vision_approximate, report.prefix) == (("front", "wrist"), (), "exact")
    assert (report.tiers, report.patch_difference) == (("process",), 0.0)
    prefix = world.policy.prefix_to_host(world.policy.build_prefix(seen, world.policy.encode_cameras(seen)))
    assert report.bytes_reused == prefix.nbytes
    assert again.slice.context_id != first.slice.context_id


def test_c3_another_process_reuses_through_the_pool_bit_by_bit(world):
    seen = observation()
    first = world.infer(seen)
    other = world.process()
    again = world.infer(seen, inference=other)
    assert_same(again.slice, first.slice)
    assert (stages(again), again.reuse.prefix, again.reuse.tiers) == (REUSED, "exact", ("host",))
    assert world.infer(seen, inference=other).reuse.tiers == ("process",)


def test_a_process_without_room_on_its_device_reuses_from_the_pool_every_time(world):
    seen, small = observation(), world.process(device_bytes=0)
    first = world.infer(seen, inference=small)
    for _ in range(2):
        again = world.infer(seen, inference=small)
        assert (again.reuse.prefix, again.reuse.tiers) == ("exact", ("host",))
        assert_same(again.slice, first.slice)


@pytest.mark.parametrize("device_bytes", [2**20, 0])
def test_one_other_pixel_in_one_camera_encodes_that_camera_alone(world, monkeypatch, device_bytes):
    seen, process = observation(), world.process(device_bytes=device_bytes)
    world.infer(seen, inference=process)
    encoded = []
    encode = world.policy.encode_cameras
    monkeypatch.setattr(
        world.policy, "encode_cameras", lambda seen, cameras=(): encoded.append(cameras) or encode(seen, cameras)
    )
    changed = other_pixel(seen, "wrist")
    again = world.infer(changed, inference=process)
    assert encoded == [("wrist",)]
    assert (stages(again), again.reuse.vision_exact, again.reuse.prefix) == (COMPUTED, ("front",), "")
    assert again.reuse.bytes_reused == 16 * 128 * 4
    np.testing.assert_allclose(again.slice.joints, plain(world.policy, changed).joints, atol=1e-5)


def test_another_instruction_reuses_pictures_and_never_the_prefix(world):
    seen = observation()
    world.infer(seen)
    other = replace(seen, instruction="put the bowl in the cubes")
    again = world.infer(other)
    assert (again.reuse.vision_exact, again.reuse.prefix) == (("front", "wrist"), "")
    assert stages(again) == ["lookup", "prefix", "denoise", "decode"]
    assert_same(again.slice, plain(world.policy, other))


def test_another_posture_before_the_same_pictures_reuses_the_prefix_and_moves_from_where_it_stands(world):
    seen = observation()
    world.infer(seen)
    other = replace(seen, joints=seen.joints + 0.1)
    again = world.infer(other)
    assert again.reuse.prefix == "exact"
    assert_same(again.slice, plain(world.policy, other))


@pytest.mark.parametrize("what", ["calibration", "weights_hash", "config_hash", "dtype"])
def test_c7_what_another_model_or_calibration_stored_is_never_returned(world, what):
    seen = observation()
    named = world.infer(seen).slice.context_id
    if what == "calibration":
        other = world.process(calibration_id="moved")
    else:
        stranger = load_policy_like(world.policy, **{what: "float16" if what == "dtype" else "ff" * 32})
        other = world.process(policy=stranger)
    again = world.infer(seen, inference=other)
    assert (stages(again), again.reuse.bytes_reused, again.reuse.pool) == (COMPUTED, 0, "connected")
    with pytest.raises(InferenceError, match=named):
        world.infer(seen, inference=other, guidance=Guidance(named, 0.5))


def load_policy_like(policy, **changed):
    """The same policy under another description."""
    other = copy.copy(policy)
    other._description = replace(policy.description, **changed)
    return other


def test_guidance_by_latent_starts_midway_with_proportionally_fewer_steps(world):
    seen = observation()
    first = world.infer(seen, seed=1)
    guided = world.infer(seen, seed=99, guidance=Guidance(first.slice.context_id, 0.5))
    report = guided.reuse
    assert (report.guided_by, report.start_time, report.steps) == (first.slice.context_id, 0.5, 5)
    assert report.similarity == pytest.approx(1.0, abs=1e-5)
    # The same picture and posture: the second half of the first run is run again.
    np.testing.assert_allclose(guided.slice.joints, first.slice.joints, atol=1e-5)
    stored = world.store.context(world.inference.model_key, guided.slice.context_id, 0, (VectorKind.TIMES,))
    assert (stored.record.guided_by, stored.record.start_time) == (first.slice.context_id, 0.5)
    assert stored.vector(VectorKind.TIMES).array[0] == 0.5


def test_guidance_by_noise_repeats_the_stored_run_whatever_the_seed(world):
    seen = observation()
    first = world.infer(seen, seed=1)
    guidance = Guidance(first.slice.context_id, 0.3, GuidanceVariant.NOISE)
    guided = world.infer(seen, seed=99, guidance=guidance)
    assert_same(guided.slice, first.slice)
    assert (guided.reuse.start_time, guided.reuse.steps) == (1.0, 10)


def test_guidance_by_renoising_works_from_a_context_that_began_late(world):
    seen = observation()
    first = world.infer(seen, seed=1)
    late = world.infer(seen, seed=2, guidance=Guidance(first.slice.context_id, 0.3))
    with pytest.raises(InferenceError, match="renoised"):
        world.infer(seen, seed=3, guidance=Guidance(late.slice.context_id, 0.8))
    renoised = Guidance(late.slice.context_id, 0.8, GuidanceVariant.RENOISED, steps=4)
    guided = world.infer(seen, seed=3, guidance=renoised)
    assert (guided.reuse.guided_by, guided.reuse.start_time, guided.reuse.steps) == (late.slice.context_id, 0.8, 4)


def test_an_episode_guides_slice_by_slice(world):
    first, second = observation(seed=1), observation(seed=2)
    named = [
        world.infer(seen, seed=index, episode="ep", index=index).slice.context_id
        for index, seen in enumerate((first, second))
    ]
    guided = [
        world.infer(first, seed=9, episode="other", index=index, guidance=Guidance("ep", 0.5)).reuse.guided_by
        for index in range(2)
    ]
    assert guided == named
    # An episode that was over sooner is no mistake; one that is not there is.
    over = world.infer(first, index=2, guidance=Guidance("ep", 0.5)).reuse
    assert (over.guided_by, over.guided_episode, over.message) == ("", "", "no guidance: episode ep has no slice 2")
    with pytest.raises(InferenceError, match=r"guidance pe: .* no slice 2"):
        world.infer(first, index=2, guidance=Guidance("pe", 0.5))


def test_the_most_similar_context_guides_only_when_it_succeeded(world):
    seen, far = observation(seed=1), observation(seed=2)
    near = other_pixel(seen, "front")
    for_near = world.infer(seen, episode="near").slice.context_id
    world.infer(far, episode="far")
    asked = {"guidance": Guidance("similar", 0.5)}
    nothing = world.infer(near, **asked)
    assert (nothing.reuse.guided_by, nothing.reuse.steps) == ("", 10)
    assert "no similar context that succeeded" in nothing.reuse.message
    world.pool.set_outcome("near", ContextOutcome.SUCCEEDED)
    world.pool.set_outcome("far", ContextOutcome.SUCCEEDED)
    guided = world.infer(near, **asked)
    assert (guided.reuse.guided_by, guided.reuse.message) == (for_near, "")
    assert 0.9 < guided.reuse.similarity <= 1.0 + 1e-6
    world.pool.set_outcome("near", ContextOutcome.FAILED)
    assert world.infer(near, **asked).reuse.guided_by != for_near


def test_a_guide_that_does_not_exist_is_named(world):
    with pytest.raises(InferenceError, match="guidance nobody"):
        world.infer(observation(), guidance=Guidance("nobody", 0.5))
    assert world.infer(observation()).reuse.stored


def test_without_asking_for_it_nearly_the_same_is_not_the_same(world):
    seen = observation()
    world.infer(seen)
    again = world.infer(other_pixel(other_pixel(seen, "front"), "wrist"))
    assert (again.reuse.vision_exact, again.reuse.vision_approximate, again.reuse.prefix) == ((), (), "")


def test_c7_approximate_reuse_obeys_threshold_and_age_and_reports_both(world):
    lax = world.process(approximate_threshold=0.05, approximate_maximum_age=2)
    seen = observation()
    first = world.infer(seen, inference=lax)
    near, far = other_pixel(seen, "wrist", by=64), other_pixel(seen, "wrist", by=0)
    far.images["wrist"].pixels[:16, :16] ^= 0x80
    again = world.infer(near, inference=lax)
    report = again.reuse
    assert (report.vision_exact, report.vision_approximate, report.prefix) == (("front",), ("wrist",), "approximate")
    assert report.patch_difference == pytest.approx(64 / (255 * 3 * 64))
    assert_same(again.slice, first.slice)
    beyond = world.infer(far, inference=lax)
    assert (beyond.reuse.vision_approximate, beyond.reuse.vision_exact) == ((), ("front",))
    world.infer(seen, inference=lax)
    ages = [
        world.infer(other_pixel(seen, "wrist", by=2**bit), inference=lax).reuse.vision_approximate for bit in range(3)
    ]
    assert ages == [("wrist",), ("wrist",), ()]


def test_what_passed_for_another_picture_is_not_stored_under_its_own_key(world):
    lax, strict = world.process(approximate_threshold=0.05), world.process()
    seen = observation()
    near = other_pixel(seen, "wrist")
    world.infer(seen, inference=lax)
    assert world.infer(near, inference=lax).reuse.prefix == "approximate"
    exact = world.infer(near, inference=strict)
    assert (exact.reuse.vision_exact, exact.reuse.prefix) == (("front",), "")
    np.testing.assert_allclose(exact.slice.joints, plain(world.policy, near).joints, atol=1e-5)


def test_a_request_that_bypasses_the_pool_neither_reads_nor_leaves_anything(world):
    seen = observation()
    world.infer(seen, bypass=True)
    assert world.pool.stats().puts == 0
    world.infer(seen)
    before = world.pool.stats()
    bypassed = world.infer(seen, bypass=True)
    after = world.pool.stats()
    assert (stages(bypassed), bypassed.reuse.pool) == (["encode", "prefix", "denoise", "decode"], "bypassed")
    assert (after.puts, after.hits, after.misses) == (before.puts, before.hits, before.misses)
    with pytest.raises(ConfigurationError, match="bypasses the pool"):
        world.infer(seen, bypass=True, guidance=Guidance("similar", 0.5))


class AwayStore:
    """A pool that is not there."""

    state = "absent"

    def might_have(self, key):
        return False

    def fetch(self, model, keys):
        return {}

    def similar(self, query):
        return ()

    def context(self, model, reference, index, kinds):
        return None

    def put(self, context):
        return False


class BrokenStore:
    """A pool that claims to be there and fails in everything."""

    state = "connected"

    def __getattr__(self, name):
        def fail(*_):
            raise OSError(f"{name} is broken")

        return fail


@pytest.mark.parametrize(("store", "pool"), [(AwayStore(), "absent"), (BrokenStore(), "connected")])
def test_a_pool_that_is_away_or_broken_changes_nothing_but_the_report(world, store, pool):
    seen, process = observation(), world.process(store=store)
    first = world.infer(seen, inference=process)
    assert_same(first.slice, plain(world.policy, seen))
    again = world.infer(seen, inference=process)
    assert_same(again.slice, first.slice)
    assert (again.reuse.pool, again.reuse.prefix, again.reuse.tiers) == (pool, "exact", ("process",))
    guided = world.infer(seen, inference=process, guidance=Guidance("somebody", 0.5))
    assert "no guidance: the pool is away" in guided.reuse.message
    assert (guided.reuse.steps, guided.reuse.guided_by) == (10, "")
    if pool == "connected":
        assert "might_have is broken" in first.reuse.message
        assert "put is broken" in again.reuse.message
    else:
        assert (first.reuse.message, first.reuse.stored) == ("", False)


class UnwellStore(AwayStore):
    """A pool that found no room for the last context, until it takes one again."""

    def __init__(self, store):
        self.store, self.full = store, True

    @property
    def state(self):
        return "full" if self.full else "connected"

    def put(self, context):
        self.full = False
        return self.store.put(context)


def test_a_pool_that_had_trouble_is_used_again_as_soon_as_it_is_well(world):
    process = world.process(store=UnwellStore(world.store))
    first = world.infer(observation(), inference=process).reuse
    assert (first.pool, first.message, first.stored) == ("absent", "full", True)
    second = world.infer(observation(), inference=process).reuse
    assert (second.pool, second.message, second.stored) == ("connected", "", True)


class LyingStore(AwayStore):
    """A pool that gives arrays that are not what their keys promise."""

    state = "connected"

    def might_have(self, key):
        return True

    def fetch(self, model, keys):
        return {key: FetchedVector(VectorKind.VISION, "", np.zeros((3, 3), np.float32), "disk") for key in keys}

    def put(self, context):
        return True


def test_a_vector_that_is_not_what_its_key_promises_is_computed_instead(world):
    seen, process = observation(), world.process(store=LyingStore())
    result = world.infer(seen, inference=process)
    assert_same(result.slice, plain(world.policy, seen))
    assert (stages(result), result.reuse.bytes_reused) == (COMPUTED, 0)
    assert "vision for a key of prefix" in result.reuse.message
    assert "shape (3, 3)" in result.reuse.message


class StuckStore(AwayStore):
    """A pool that takes contexts only when it is let."""

    state = "connected"

    def __init__(self):
        self.let, self.reached, self.taken = threading.Event(), threading.Event(), []

    def put(self, context):
        self.reached.set()
        self.let.wait(10.0)
        self.taken.append(context.record.context_id)
        return True


def test_inference_does_not_wait_for_the_pool_and_says_what_was_not_kept(world):
    store = StuckStore()
    process = world.process(store=store, put_queue=2)
    seen = observation()
    results = [process.infer(seen, SliceRequest(INSTRUCTION, seed)) for seed in range(3)]
    assert [result.reuse.stored for result in results] == [True, True, False]
    assert "put_queue" in results[2].reuse.message
    store.let.set()
    assert process.drain(10.0)
    assert store.taken == [result.slice.context_id for result in results[:2]]
    assert process.infer(seen, SliceRequest(INSTRUCTION, 3)).reuse.stored


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_storing_thread_is_noticed_and_inference_carries_on(world, monkeypatch):
    process, seen = world.process(), observation()
    with monkeypatch.context() as broken:
        broken.setattr(world.policy, "prefix_to_host", lambda prefix: 1 / 0)
        world.infer(seen, inference=process)
        assert not process.drain(10.0)
    for _ in range(2):
        result = world.infer(seen, inference=process)
        assert "the thread that stores contexts has died: ZeroDivisionError" in result.reuse.message
        assert not result.reuse.stored
        assert_same(result.slice, plain(world.policy, seen))


def test_a_context_that_cannot_be_kept_is_told_with_the_next_slice_and_the_thread_lives(world):
    seen = replace(observation(), instruction=INSTRUCTION + " " * 5000)
    first = world.infer(seen)
    second = world.infer(observation())
    assert f"context {first.slice.context_id} was not kept: instruction" in second.reuse.message
    assert world.infer(observation()).reuse.message == ""


def test_an_episode_that_cannot_be_named_is_refused(world):
    with pytest.raises(ConfigurationError, match="episode"):
        world.infer(observation(), episode="no spaces")


def test_a_missing_camera_is_named_with_a_pool_as_without_one(world):
    seen = observation()
    world.infer(seen)
    with pytest.raises(InferenceError, match="wrist"):
        world.infer(replace(seen, images={"front": seen.images["front"]}))


def test_forgetting_empties_the_device_and_not_the_pool(world):
    seen = observation()
    world.infer(seen)
    world.inference.forget()
    assert world.infer(seen).reuse.tiers == ("host",)


def test_after_closing_inference_goes_on_and_stores_nothing(world):
    world.inference.close()
    result = world.infer(observation())
    assert not result.reuse.stored
    assert_same(result.slice, plain(world.policy, observation()))


def test_what_a_hit_saves_is_the_median_of_the_stages_that_did_not_run(world):
    seen = observation()
    costs = [world.infer(observation(seed=seed)) for seed in range(3)]
    world.infer(seen)
    seconds = [{stage.stage: stage.seconds for stage in each.stages} for each in costs]
    report = world.infer(observation(seed=1)).reuse
    expected = np.median([each["encode"] for each in seconds]) + np.median([each["prefix"] for each in seconds])
    assert report.seconds_saved == pytest.approx(expected - report.lookup_seconds)
