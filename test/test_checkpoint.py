"""Checkpoint folders: what is written is what is read, and what is damaged is refused by name."""

import json
import shutil

import numpy as np
import policy_fixtures
import pytest
import torch
from safetensors.torch import load_file, save_file

from ams_ros.errors import CheckpointError
from ams_ros.policy.checkpoint import SHIPPED
from ams_ros.policy.checkpoint_card import read_card
from ams_ros.policy.pi0 import load_policy


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return policy_fixtures.save_small_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy")


def edit_card(folder, **changes):
    path = folder / "ams.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def rewrite_weights(folder, change):
    """Exchange the weights and make the card's digest fit them, as an honest but mistaken author would."""
    import hashlib  # noqa: PLC0415

    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})
    edit_card(folder, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_weights_come_back_as_they_were_in_half_precision(written):
    loaded = load_policy(written).model.state_dict()
    for name, tensor in policy_fixtures.random_model().state_dict().items():
        torch.testing.assert_close(loaded[name], tensor.half().float(), rtol=0, atol=0)


def test_the_card_comes_back_as_it_was(written):
    body, expected = read_card(written).embodiment, policy_fixtures.embodiment()
    assert (body.cameras, body.joint_names, body.execute, body.period) == (
        expected.cameras,
        expected.joint_names,
        expected.execute,
        expected.period,
    )
    np.testing.assert_array_equal(body.joint_upper, expected.joint_upper)
    np.testing.assert_array_equal(body.normalisation.action_std, expected.normalisation.action_std)


def test_a_small_checkpoint_stays_below_eight_megabytes(written):
    assert sum(path.stat().st_size for path in written.iterdir()) < 8 * 2**20


def test_every_shipped_checkpoint_loads_by_its_name_and_is_small():
    shipped = [path.parent for path in SHIPPED.glob("*/ams.json")]
    for folder in shipped:
        assert load_policy(folder.name).description.horizon == 16
        assert sum(path.stat().st_size for path in folder.iterdir()) < 8 * 2**20


def test_a_name_that_is_neither_folder_nor_shipped_is_refused():
    with pytest.raises(CheckpointError, match="no_such_policy does not exist"):
        load_policy("no_such_policy")


@pytest.mark.parametrize("name", ["ams.json", "config.json", "model.safetensors"])
def test_an_incomplete_checkpoint_names_the_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"incomplete: {name} is missing"):
        load_policy(folder)


def test_one_flipped_bit_in_the_weights_is_found(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model.safetensors has the SHA-256"):
        load_policy(folder)


def test_truncated_weights_are_refused_even_when_the_digest_fits(folder):
    import hashlib  # noqa: PLC0415

    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    edit_card(folder, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(CheckpointError, match="damaged"):
        load_policy(folder)


def test_a_weight_of_another_shape_is_refused_by_name(folder):
    def shrink(tensors):
        tensors["action_out_proj.weight"] = tensors["action_out_proj.weight"][:, :-1].contiguous()

    rewrite_weights(folder, shrink)
    with pytest.raises(CheckpointError, match=r"action_out_proj.weight"):
        load_policy(folder)


def test_a_weight_that_is_not_there_is_refused_by_name(folder):
    rewrite_weights(folder, lambda tensors: tensors.pop("action_out_proj.bias"))
    with pytest.raises(CheckpointError, match=r"missing keys: action_out_proj.bias"):
        load_policy(folder)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"format": 99}, "format 1"),
        ({"execute": 17}, "executes 17 steps"),
        ({"period": -1.0}, "period -1.0"),
        ({"joint_upper": [1.0]}, "limits"),
        ({"gripper_levels": [0.5]}, "gripper level"),
        ({"statistics": {}}, "lacks 'state_mean'"),
        ({"vocabulary": [f"word{index}" for index in range(40)]}, "room for 14"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_with_the_reason(folder, changes, complaint):
    edit_card(folder, **changes)
    with pytest.raises(CheckpointError, match=complaint):
        load_policy(folder)


def test_a_card_that_is_no_json_is_refused(folder):
    (folder / "ams.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"ams.json cannot be read"):
        load_policy(folder)


def test_a_config_of_another_model_is_refused(folder):
    (folder / "config.json").write_text('{"model_type": "pi0", "chunk_size": "many"}')
    with pytest.raises(CheckpointError, match="damaged"):
        load_policy(folder)
