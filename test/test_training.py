"""Training a small pi0 from demonstrations: it learns, it resumes exactly, it exports what load_policy loads."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from policy_fixtures import INSTRUCTION, observation
from rich.console import Console

from ams_ros.errors import CheckpointError, ConfigurationError
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.robot.profile import load_profile
from ams_ros.training.dataset import Demonstrations
from ams_ros.training.recipe import ModelShape, Recipe
from ams_ros.training.train_task import TrainingFolders, TrainingLimits, train_task
from ams_ros.training.trainer import STATE, Trainer
from ams_ros.types import SliceRequest

SMALL = ModelShape(width=32, heads=2, vision_layers=1, vision_mlp=64, language_layers=1, language_mlp=64, patch_size=32)
QUICK = Recipe(
    correction_rounds=0,
    shape=SMALL,
    iterations=24,
    batch=8,
    warm_up=4,
    report_every=4,
    evaluate_every=12,
    save_every=8,
    export_every=12,
)
EPISODES, LENGTH = 6, 30


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Hand-made demonstrations: a bright column in the picture says where the first joint shall go."""
    folder = tmp_path_factory.mktemp("demonstrations")
    frames, rng = EPISODES * LENGTH, np.random.default_rng(0)
    goal = np.repeat(rng.uniform(-0.5, 0.5, EPISODES), LENGTH)
    pixels = np.zeros((frames, 64, 64, 3), np.uint8)
    for frame, value in enumerate(goal):
        pixels[frame, :, int((value + 0.5) * 60) : int((value + 0.5) * 60) + 4] = 255
    state = rng.normal(0.0, 0.2, (frames, 7)).astype(np.float32)
    action = np.zeros((frames, 7), np.float32)
    action[:, 0], action[:, 6] = goal, 0.03
    idle = np.tile(np.arange(LENGTH) >= LENGTH - 5, EPISODES)
    arrays = {
        "front": pixels,
        "wrist": pixels[::-1],
        "state": state,
        "action": action,
        "episode": np.repeat(np.arange(EPISODES, dtype=np.int32), LENGTH),
        "idle": idle,
        "target": np.stack([goal, goal, goal], axis=1).astype(np.float32),
        "present": ~idle,
        "held": np.zeros(frames, bool),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    meta = {"task": "cubes", "seed": 0, "instruction": "put the cubes in the bowl", "episodes": EPISODES}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


@pytest.fixture
def demonstrations(folder):
    return Demonstrations(folder, QUICK.horizon)


def test_slices_count_joints_from_the_start_pose_and_repeat_the_last_command_at_an_episodes_end(demonstrations):
    frames = np.array([3, LENGTH - 1])
    batch = demonstrations.batch(frames)
    restored = demonstrations.normalisation.restore_action(batch.action)
    expected = demonstrations.action[frames][:, None, :6] - demonstrations.state[frames][:, None, :6]
    np.testing.assert_allclose(restored[:, :, :6], np.broadcast_to(expected, (2, 16, 6)), atol=1e-5)
    np.testing.assert_allclose(restored[:, :, 6], 0.03, atol=1e-6)


def test_held_out_episodes_share_no_frame_with_the_training(demonstrations):
    training, held_out = demonstrations.split(every=3)
    assert len(training) + len(held_out) == EPISODES * LENGTH
    assert not set(demonstrations.episode[training]) & set(demonstrations.episode[held_out])


def test_a_joint_that_never_moves_is_not_blown_up(demonstrations):
    assert demonstrations.normalisation.action_std[6] == pytest.approx(0.002)


def test_the_few_finger_targets_that_were_commanded_are_known(demonstrations):
    np.testing.assert_allclose(demonstrations.gripper_levels, [0.03], atol=1e-6)


def test_the_flow_loss_falls(demonstrations, tmp_path):
    trainer = Trainer(demonstrations, replace(QUICK, iterations=200, learning_rate=5e-3), 0, tmp_path)
    trainer.run()
    first, last = trainer.history[0], trainer.history[-1]
    assert last.flow < 0.6 * first.flow
    assert last.held_out < first.flow


def test_a_resumed_run_ends_exactly_where_an_uninterrupted_one_does(demonstrations, tmp_path):
    whole = Trainer(demonstrations, QUICK, 5, tmp_path / "whole")
    whole.run()
    Trainer(demonstrations, QUICK, 5, tmp_path / "parts").run(until=16)
    resumed = Trainer(demonstrations, QUICK, 5, tmp_path / "parts")
    assert resumed.iteration == 16
    resumed.run()
    assert [record.flow for record in resumed.history] == [record.flow for record in whole.history]
    for name, weight in whole.averaged_model().state_dict().items():
        assert torch.equal(weight, resumed.averaged_model().state_dict()[name]), name


def test_another_seed_is_another_run(demonstrations, tmp_path):
    runs = [Trainer(demonstrations, QUICK, seed, tmp_path / str(seed)) for seed in (1, 2)]
    for run in runs:
        run.run(until=4)
    assert runs[0].history[0].flow != runs[1].history[0].flow


def test_a_folder_that_holds_another_run_is_refused(demonstrations, tmp_path):
    Trainer(demonstrations, QUICK, 1, tmp_path).run(until=1)
    with pytest.raises(ConfigurationError, match=r"training.seed: got 2"):
        Trainer(demonstrations, QUICK, 2, tmp_path)
    with pytest.raises(ConfigurationError, match=r"training.recipe"):
        Trainer(demonstrations, replace(QUICK, learning_rate=0.1), 1, tmp_path)


def test_a_damaged_state_is_refused_with_the_mend(demonstrations, tmp_path):
    Trainer(demonstrations, QUICK, 1, tmp_path).run(until=1)
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="delete it to start anew"):
        Trainer(demonstrations, QUICK, 1, tmp_path)


def test_a_time_limit_ends_a_run_early_with_its_state_saved(demonstrations, tmp_path):
    trainer = Trainer(demonstrations, QUICK, 0, tmp_path)
    trainer.run(time_limit=1e-6)
    assert trainer.iteration == 1
    assert Trainer(demonstrations, QUICK, 0, tmp_path).iteration == 1


def test_training_a_task_leaves_a_policy_for_the_robot_and_a_report(folder, tmp_path):
    folders = TrainingFolders(tmp_path / "work", tmp_path / "out", tmp_path / "docs", folder)
    run = train_task("cubes", folders, recipe=QUICK, console=Console(quiet=True))
    policy, profile = load_policy(run.checkpoint), load_profile("widowx_250s")
    assert policy.description.joint_names == profile.joint_names
    assert run.card.training["iterations"] == QUICK.iterations
    joints = SliceInference(policy).infer(observation(), SliceRequest(INSTRUCTION, 0)).slice.joints
    assert ((joints >= profile.lower) & (joints <= profile.upper)).all()
    assert load_policy(tmp_path / "work" / "exports" / "000012").description.horizon == 16
    assert (tmp_path / "docs" / "cubes.png").stat().st_size > 5000
    assert run.card.weights_sha256 in run.report.read_text()


def test_corrections_begin_where_the_half_trained_policy_went_wrong_and_are_trained_on(folder, tmp_path):
    folders = TrainingFolders(tmp_path / "work", tmp_path / "out", tmp_path / "docs", folder)
    recipe = replace(QUICK, correction_rounds=1, correction_iterations=6)
    run = train_task("cubes", folders, recipe=recipe, limits=TrainingLimits(corrections=1), console=Console(quiet=True))
    first, corrections = run.card.training["demonstrations"]
    assert (run.card.training["iterations"], first["episodes"], corrections["episodes"]) == (30, EPISODES, 1)
    # After six slices and more of an untrained policy the arm is somewhere else than in its start pose.
    joints = np.load(folders.corrections(1) / "state.npy")[0, :6]
    assert np.abs(joints - load_profile("widowx_250s").start).max() > 0.05
    assert corrections["learner"] in run.report.read_text()


def test_statistics_are_those_of_the_first_folder_and_episodes_stay_apart(folder, demonstrations):
    both = Demonstrations(folder, QUICK.horizon, folder)
    assert (both.frames, both.episode.max()) == (2 * demonstrations.frames, 2 * EPISODES - 1)
    np.testing.assert_array_equal(both.normalisation.action_std, demonstrations.normalisation.action_std)
    again = both.batch(np.array([5, demonstrations.frames + 5]))
    np.testing.assert_array_equal(again.pixels[0], again.pixels[1])
    np.testing.assert_array_equal(again.action[0], again.action[1])


def test_the_learning_rate_begins_anew_with_the_corrections(demonstrations, tmp_path):
    recipe = replace(QUICK, correction_rounds=2, correction_iterations=24)
    trainer = Trainer(demonstrations, recipe, 0, tmp_path)
    trainer.run()
    rates = {record.iteration: record.learning_rate for record in trainer.history}
    assert rates[20] < rates[28] < recipe.learning_rate * 0.5
    assert rates[48] < rates[28] > 0.0
    assert rates[48] < rates[52] < recipe.learning_rate * 0.5


def test_an_unknown_task_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigurationError, match="cubes"):
        train_task("juggling", TrainingFolders.under(tmp_path / "work", tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_incomplete_demonstrations_are_refused_by_file(folder, tmp_path):
    (tmp_path / "meta.json").write_text((folder / "meta.json").read_text())
    with pytest.raises(ConfigurationError, match=r"front.npy"):
        Demonstrations(tmp_path, 16)


@pytest.mark.parametrize("change", [{"batch": 0}, {"execute": 17}, {"held_out": 1}, {"learning_rate": -1.0}])
def test_a_recipe_that_cannot_be_trained_with_is_refused(change):
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        replace(QUICK, **change)


@pytest.mark.parametrize("change", [{"seconds": 0.0}, {"episodes": 0}, {"threads": 0}, {"workers": -1}])
def test_limits_under_which_nothing_could_be_trained_are_refused(change):
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        TrainingLimits(**change)
