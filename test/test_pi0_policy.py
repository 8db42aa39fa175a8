"""The pi0 policy: transformers' model, unmodified, called part by part (spec C1, H1)."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import policy_fixtures
import pytest
import torch
from policy_fixtures import embodiment, observation

from ams_ros.errors import CheckpointError, ConfigurationError, InferenceError
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy, load_published
from ams_ros.policy.protocol import VisionFeatures


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return load_policy(policy_fixtures.save_small_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    model, processor = policy_fixtures.save_published_checkpoint(folder)
    body = embodiment(dof=2, relative=False, execute=5)
    return load_published(str(folder), body), model, processor


def whole(policy, seen, noise):
    """The final latent by calling the parts one after another."""
    return policy.denoise(seen, policy.build_prefix(seen, policy.encode_cameras(seen)), noise)[-1]


def test_the_parts_give_exactly_what_sample_actions_gives(policy):
    from ams_ros.policy.images import square  # noqa: PLC0415

    seen, noise = observation(), policy.draw_noise(3)
    pixels = np.stack([square(seen.images[camera].pixels, 64) for camera in policy.description.cameras])
    words = [1, 2, 3, 4, 2, 5]
    ids = torch.tensor([[15] * 32 + words])
    expected = policy.model.sample_actions(
        state=torch.from_numpy(policy.embodiment.state(seen))[None],
        input_ids=ids,
        pixel_values=((torch.from_numpy(pixels).float() - 120.0) / 60.0).movedim(-1, -3)[None],
        noise=torch.from_numpy(noise)[None],
        attention_mask=torch.ones_like(ids),
        pixel_attention_mask=torch.ones((1, 2), dtype=torch.bool),
    )
    np.testing.assert_array_equal(whole(policy, seen, noise), expected[0].numpy())


def test_the_parts_of_a_published_pi0_give_exactly_what_sample_actions_gives(published):
    policy, model, processor = published
    seen, noise = observation(dof=2, size=(48, 64)), policy.draw_noise(3)
    inputs = processor(
        images=[[seen.images[camera].pixels for camera in policy.description.cameras]],
        text=[seen.instruction],
        padding=False,
        return_tensors="pt",
    )
    state = torch.zeros(1, 32)
    state[0, :3] = torch.from_numpy(policy.embodiment.state(seen))
    expected = model.sample_actions(state=state, noise=torch.from_numpy(noise)[None], **inputs)
    np.testing.assert_array_equal(whole(policy, seen, noise), expected[0].numpy())


def test_a_published_pi0_takes_free_text_and_any_picture_size(published):
    policy, _, _ = published
    prepared = SliceInference(policy).infer(observation(instruction="put the spoon in", dof=2, size=(30, 90)), seed=1)
    assert prepared.slice.joints.shape == (10, 2)
    assert policy.description.latent_shape == (10, 32)


def test_a_folder_without_model_cannot_be_loaded_as_published(tmp_path):
    with pytest.raises(CheckpointError, match="model cannot be loaded"):
        load_published(str(tmp_path), embodiment())


def test_denoising_returns_every_latent_and_the_first_is_the_start(policy):
    seen, noise = observation(), policy.draw_noise(0)
    latents = policy.denoise(seen, policy.build_prefix(seen, policy.encode_cameras(seen)), noise)
    assert latents.shape == (11, 16, 7)
    np.testing.assert_array_equal(latents[0], noise)


def test_denoising_from_a_latent_midway_continues_the_run_it_was_taken_from(policy):
    seen = observation()
    prefix = policy.build_prefix(seen, policy.encode_cameras(seen))
    latents = policy.denoise(seen, prefix, policy.draw_noise(0))
    resumed = policy.denoise(seen, prefix, latents[5], start_time=0.5)
    assert len(resumed) == 6
    np.testing.assert_allclose(resumed[-1], latents[-1], atol=1e-5)


def test_any_number_of_runs_share_one_prefix_and_leave_it_as_it_was(policy):
    seen = observation()
    prefix = policy.build_prefix(seen, policy.encode_cameras(seen))
    before = [tensor.clone() for tensor in (*prefix.keys, *prefix.values)]
    first = policy.denoise(seen, prefix, policy.draw_noise(0))
    policy.denoise(seen, prefix, policy.draw_noise(1), steps=3)
    np.testing.assert_array_equal(policy.denoise(seen, prefix, policy.draw_noise(0)), first)
    for tensor, copy in zip((*prefix.keys, *prefix.values), before, strict=True):
        assert torch.equal(tensor, copy)


def test_vision_tokens_of_one_camera_can_be_replaced_by_stored_ones(policy):
    old, new = observation(seed=1), observation(seed=2)
    mixed_features = {**policy.encode_cameras(new).tokens, "wrist": policy.encode_cameras(old).tokens["wrist"]}
    mixed = policy.build_prefix(new, VisionFeatures(mixed_features))
    seen = replace(new, images={"front": new.images["front"], "wrist": old.images["wrist"]})
    expected = policy.build_prefix(seen, policy.encode_cameras(seen))
    for tensor, other in zip(mixed.values, expected.values, strict=True):
        torch.testing.assert_close(tensor, other)


def test_the_same_seed_gives_the_same_noise_and_another_seed_other_noise(policy):
    assert policy.draw_noise(7).dtype == np.float32
    np.testing.assert_array_equal(policy.draw_noise(7), policy.draw_noise(7))
    assert not np.array_equal(policy.draw_noise(7), policy.draw_noise(8))


def test_decoded_targets_count_from_the_measured_joints_and_fingers_are_absolute(policy):
    seen = observation()
    decoded = policy.decode(seen, np.ones((16, 7), np.float32), "id")
    np.testing.assert_allclose(decoded.joints, np.tile(seen.joints + 0.05, (16, 1)), atol=1e-6)
    np.testing.assert_allclose(decoded.gripper, 0.037, atol=1e-9)
    assert (decoded.execute, decoded.period, decoded.context_id) == (8, 0.05, "id")


def test_decoded_targets_stay_within_the_limits(tmp_path):
    narrow = load_policy(policy_fixtures.save_small_checkpoint(tmp_path, limit=0.5))
    decoded = narrow.decode(observation(), np.full((16, 7), -1e3, np.float32), "id")
    assert decoded.joints.min() == -0.5
    assert decoded.gripper.max() == 0.015


def test_fingers_that_only_open_and_close_are_not_commanded_by_noise(tmp_path):
    two = load_policy(policy_fixtures.save_small_checkpoint(tmp_path, levels=(0.015, 0.037)))
    latent = np.zeros((16, 7), np.float32)
    latent[:8, 6] = 0.3 + 0.02 * np.arange(8)
    latent[8:, 6] = 0.9
    np.testing.assert_array_equal(two.decode(observation(), latent, "id").gripper, [0.015] * 8 + [0.037] * 8)


def test_a_latent_that_is_not_finite_is_no_slice(policy):
    with pytest.raises(InferenceError, match="not finite"):
        policy.decode(observation(), np.full((16, 7), np.nan, np.float32), "id")


def test_a_missing_camera_is_named(policy):
    seen = observation()
    with pytest.raises(InferenceError, match="wrist"):
        policy.encode_cameras(replace(seen, images={"front": seen.images["front"]}))


def test_missing_vision_features_are_named(policy):
    seen = observation()
    features = VisionFeatures({"wrist": policy.encode_cameras(seen).tokens["wrist"]})
    with pytest.raises(InferenceError, match="front"):
        policy.build_prefix(seen, features)


@pytest.mark.parametrize("instruction", ["fold the towel", "", "  "])
def test_an_instruction_outside_the_vocabulary_is_refused_with_the_words_there_are(policy, instruction):
    seen = observation(instruction=instruction)
    with pytest.raises(ConfigurationError, match="put, the, cubes, in, bowl"):
        policy.build_prefix(seen, policy.encode_cameras(seen))


def test_case_and_a_full_stop_do_not_matter(policy):
    seen, other = observation(), observation(instruction="Put the cubes in the bowl.")
    features = policy.encode_cameras(seen)
    assert torch.equal(policy.build_prefix(seen, features).keys[0], policy.build_prefix(other, features).keys[0])


def test_the_wrong_number_of_joints_is_refused(policy):
    seen = observation(dof=5)
    with pytest.raises(InferenceError, match="5 joints observed, the policy needs 6"):
        whole(policy, seen, policy.draw_noise(0))


@pytest.mark.parametrize(
    ("key", "arguments"),
    [
        ("latent", {"latent": np.zeros((15, 7), np.float32)}),
        ("start_time", {"start_time": 0.0}),
        ("start_time", {"start_time": 1.1}),
        ("steps", {"steps": 0}),
    ],
)
def test_denoising_refuses_what_it_cannot_start_from(policy, key, arguments):
    seen = observation()
    prefix = policy.build_prefix(seen, policy.encode_cameras(seen))
    with pytest.raises(ConfigurationError, match=key):
        policy.denoise(seen, prefix, **{"latent": policy.draw_noise(0), **arguments})


def test_an_inference_times_its_stages_and_names_every_slice_once(policy):
    inference = SliceInference(policy)
    first, second = (inference.infer(observation(), seed=4) for _ in range(2))
    assert [stage.stage for stage in first.stages] == ["encode", "prefix", "denoise", "decode"]
    assert all(stage.seconds > 0 for stage in first.stages)
    np.testing.assert_array_equal(first.slice.joints, second.slice.joints)
    other = SliceInference(policy).infer(observation(), seed=4)
    assert len({first.slice.context_id, second.slice.context_id, other.slice.context_id}) == 3


def test_the_protocol_is_imported_without_torch():
    code = "import sys, ams_ros.policy.protocol, ams_ros.policy.inference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
