"""The pi0 policy: transformers' model, unmodified, called part by part (spec C1, H1)."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import policy_fixtures
import pytest
import torch
from policy_fixtures import INSTRUCTION, embodiment, observation

from ams_ros.errors import CheckpointError, ConfigurationError, InferenceError
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy, load_published
from ams_ros.policy.protocol import VisionFeatures
from ams_ros.types import Guidance, SliceRequest


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return load_policy(policy_fixtures.save_small_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    model, processor = policy_fixtures.save_published_checkpoint(folder)
    body = embodiment(dof=2, relative=False, execute=5)
    return load_published(str(folder), body), model, processor


def request(seed, **more):
    return SliceRequest(INSTRUCTION, seed, **more)


def whole(policy, seen, noise):
    """The final latent by calling the parts one after another."""
    return policy.denoise(seen, policy.build_prefix(seen, policy.encode_cameras(seen)), noise).latents[-1]


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
    prepared = SliceInference(policy).infer(
        observation(instruction="put the spoon in", dof=2, size=(30, 90)), request(1)
    )
    assert prepared.slice.joints.shape == (10, 2)
    assert policy.description.latent_shape == (10, 32)


def test_a_folder_without_model_cannot_be_loaded_as_published(tmp_path):
    with pytest.raises(CheckpointError, match="model cannot be loaded"):
        load_published(str(tmp_path), embodiment())


def test_denoising_returns_every_latent_and_the_first_is_the_start(policy):
    seen, noise = observation(), policy.draw_noise(0)
    denoising = policy.denoise(seen, policy.build_prefix(seen, policy.encode_cameras(seen)), noise)
    assert (denoising.latents.shape, denoising.latents.dtype) == ((11, 16, 7), np.float32)
    np.testing.assert_array_equal(denoising.latents[0], noise)
    np.testing.assert_allclose(denoising.times, np.linspace(1.0, 0.0, 11))


def test_the_output_is_the_experts_last_hidden_state_of_the_last_step_and_no_hook_stays_behind(policy):
    seen = observation()
    prefix = policy.build_prefix(seen, policy.encode_cameras(seen))
    denoising = policy.denoise(seen, prefix, policy.draw_noise(0), steps=4)
    assert (denoising.output.shape, denoising.output.dtype) == ((16, 128), np.float32)
    with torch.inference_mode():
        velocity = policy.model.action_out_proj(torch.from_numpy(denoising.output)).numpy()
    np.testing.assert_allclose(denoising.latents[3] - 0.25 * velocity, denoising.latents[4], atol=1e-6)
    assert not policy.model.action_out_proj._forward_pre_hooks


def test_denoising_from_a_latent_midway_continues_the_run_it_was_taken_from(policy):
    seen = observation()
    prefix = policy.build_prefix(seen, policy.encode_cameras(seen))
    latents = policy.denoise(seen, prefix, policy.draw_noise(0)).latents
    resumed = policy.denoise(seen, prefix, latents[5], start_time=0.5).latents
    assert len(resumed) == 6
    np.testing.assert_allclose(resumed[-1], latents[-1], atol=1e-5)


def test_any_number_of_runs_share_one_prefix_and_leave_it_as_it_was(policy):
    seen = observation()
    prefix = policy.build_prefix(seen, policy.encode_cameras(seen))
    before = [tensor.clone() for tensor in (*prefix.keys, *prefix.values)]
    first = policy.denoise(seen, prefix, policy.draw_noise(0)).latents
    policy.denoise(seen, prefix, policy.draw_noise(1), steps=3)
    np.testing.assert_array_equal(policy.denoise(seen, prefix, policy.draw_noise(0)).latents, first)
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
    with pytest.raises(InferenceError, match="side"):
        policy.encode_cameras(seen, ("side",))


def test_cameras_can_be_encoded_one_by_one(policy):
    seen = observation()
    together = policy.encode_cameras(seen).tokens
    for camera in policy.description.cameras:
        alone = policy.encode_cameras(seen, (camera,)).tokens
        assert set(alone) == {camera}
        torch.testing.assert_close(alone[camera], together[camera])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_features_and_prefix_survive_the_way_to_the_host_and_back_bit_by_bit(tmp_path, dtype):
    policy_fixtures.save_published_checkpoint(tmp_path)
    policy = load_published(str(tmp_path), embodiment(dof=2), dtype=dtype)
    seen = observation(dof=2)
    features = policy.encode_cameras(seen)
    prefix = policy.build_prefix(seen, features)
    tokens, stacked = policy.features_to_host(features), policy.prefix_to_host(prefix)
    bits = np.uint16 if dtype is torch.bfloat16 else np.float32
    assert {array.dtype for array in tokens.values()} == {stacked.dtype} == {np.dtype(bits)}
    assert tokens["front"].shape == (4, 32)
    assert stacked.shape == (2, 2, 1, prefix.keys[0].shape[2], 16)
    stacked.flags.writeable = False  # as an array from shared memory may be
    for camera, back in policy.features_from_host(tokens).tokens.items():
        assert torch.equal(back, features.tokens[camera])
    restored = policy.prefix_from_host(stacked)
    noise = policy.draw_noise(0)
    np.testing.assert_array_equal(
        policy.denoise(seen, restored, noise).latents, policy.denoise(seen, prefix, noise).latents
    )


def test_arrays_on_the_host_are_copies_of_their_own(policy):
    features = policy.encode_cameras(observation())
    before = features.tokens["front"].clone()
    policy.features_to_host(features)["front"][:] = 0
    assert torch.equal(features.tokens["front"], before)


def test_stored_arrays_of_another_shape_or_dtype_are_refused(policy):
    seen = observation()
    features = policy.encode_cameras(seen)
    tokens = policy.features_to_host(features)
    prefix = policy.prefix_to_host(policy.build_prefix(seen, features))
    for wrong in (tokens["front"][:-1], tokens["front"].astype(np.float16), tokens["front"].reshape(-1)):
        with pytest.raises(InferenceError, match="camera front"):
            policy.features_from_host({"front": wrong})
    for wrong in (prefix[:1], prefix[..., :-1], prefix.astype(np.float64), prefix[:, :, :, :32], prefix[0]):
        with pytest.raises(InferenceError, match="prefix"):
            policy.prefix_from_host(wrong)


def test_the_config_hash_changes_with_what_shapes_the_numbers_and_only_with_that(policy, tmp_path):
    one = policy.description
    same = load_policy(policy_fixtures.save_small_checkpoint(tmp_path / "same")).description
    other = load_policy(policy_fixtures.save_small_checkpoint(tmp_path / "other", limit=2.0)).description
    assert (one.config_hash, one.weights_hash, one.dtype) == (same.config_hash, same.weights_hash, "float32")
    assert other.config_hash != one.config_hash
    assert other.weights_hash == one.weights_hash


def test_the_config_hash_of_a_published_pi0_is_the_same_in_another_process_and_folder(published, tmp_path):
    policy_fixtures.save_published_checkpoint(tmp_path)
    code = (
        "import sys; from policy_fixtures import embodiment; from ams_ros.policy.pi0 import load_published;"
        "body = embodiment(dof=2, relative=False, execute=5);"
        "print(load_published(sys.argv[1], body).description.config_hash)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=Path(__file__).parent,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
        },
    )
    assert done.stdout.split()[-1] == published[0].description.config_hash


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
    first, second = (inference.infer(observation(), request(4)) for _ in range(2))
    assert [stage.stage for stage in first.stages] == ["encode", "prefix", "denoise", "decode"]
    assert all(stage.seconds > 0 for stage in first.stages)
    np.testing.assert_array_equal(first.slice.joints, second.slice.joints)
    other = SliceInference(policy).infer(observation(), request(4))
    assert len({first.slice.context_id, second.slice.context_id, other.slice.context_id}) == 3


def test_plain_inference_reports_that_there_is_no_pool_and_follows_no_guidance(policy):
    inference = SliceInference(policy)
    plain = inference.infer(observation(), request(4))
    assert (plain.reuse.pool, plain.reuse.steps, plain.reuse.start_time) == ("off", 10, 1.0)
    assert (plain.reuse.message, plain.reuse.stored) == ("", False)
    assert inference.infer(observation(), request(4, bypass=True)).reuse.pool == "bypassed"
    guided = inference.infer(observation(), request(4, guidance=Guidance("similar", 0.5)))
    assert "no guidance" in guided.reuse.message
    np.testing.assert_array_equal(guided.slice.joints, plain.slice.joints)


def test_the_protocol_is_imported_without_torch():
    code = "import sys, ams_ros.policy.protocol, ams_ros.policy.inference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
