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
from ams_ros.training.export import export_checkpoint
from ams_ros.training.flow_matching import Draws
from ams_ros.training.recipe import ModelShape, Recipe
from ams_ros.training.train_task import TrainingFolders, TrainingLimits, TrainingPlan, train_task
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
        "done": np.repeat(np.arange(EPISODES) % 2, LENGTH).astype(np.uint8),
        "instruction": np.zeros(frames, np.uint8),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    meta = {"task": "cubes", "robot": "widowx_250s", "seed": 0, "instructions": [INSTRUCTION], "episodes": EPISODES}
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


def test_openings_are_the_first_frames_of_episodes_in_which_nothing_was_done(demonstrations):
    np.testing.assert_array_equal(
        np.flatnonzero(demonstrations.opening), [k * LENGTH + frame for k in (0, 2, 4) for frame in range(4)]
    )


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
    run = train_task(TrainingPlan("cubes"), folders, recipe=QUICK, console=Console(quiet=True))
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
    limits = TrainingLimits(corrections=1)
    run = train_task(TrainingPlan("cubes"), folders, recipe=recipe, limits=limits, console=Console(quiet=True))
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
        train_task(TrainingPlan("juggling"), TrainingFolders.under(tmp_path / "work", tmp_path / "out"))
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


@pytest.fixture(scope="module")
def two_instructions(folder, tmp_path_factory):
    """The same pictures, every other episode with another instruction, which wants the opposite of the first joint."""
    other = tmp_path_factory.mktemp("instructions")
    for path in folder.glob("*.npy"):
        np.save(other / path.name, np.load(path))
    said = np.load(folder / "episode.npy") % 2
    action = np.load(folder / "action.npy")
    action[said == 1, 0] *= -1.0
    np.save(other / "action.npy", action)
    np.save(other / "instruction.npy", said.astype(np.uint8))
    meta = json.loads((folder / "meta.json").read_text()) | {"instructions": [INSTRUCTION, "pull the cups down"]}
    (other / "meta.json").write_text(json.dumps(meta))
    return other


def test_one_checkpoint_learns_several_instructions_of_different_length(two_instructions, tmp_path):
    folders = TrainingFolders(tmp_path / "work", tmp_path / "out", tmp_path / "docs", two_instructions)
    run = train_task(TrainingPlan("cubes", name="both"), folders, recipe=QUICK, console=Console(quiet=True))
    policy = load_policy(run.checkpoint)
    assert policy.description.instructions == (INSTRUCTION, "pull the cups down")
    assert set(run.card.vocabulary) == {*INSTRUCTION.split(), "pull", "cups", "down"}
    seen = [replace(observation(), instruction=each) for each in policy.description.instructions]
    slices = [SliceInference(policy).infer(each, SliceRequest(each.instruction, 0)).slice for each in seen]
    assert not np.array_equal(slices[0].joints, slices[1].joints)
    assert run.report.name == "both.md"
    assert "ams train cubes --name both" in run.report.read_text()


def test_the_loss_of_a_mixed_batch_is_the_mean_of_its_instructions_losses(two_instructions, tmp_path):
    demonstrations = Demonstrations(two_instructions, QUICK.horizon)
    trainer = Trainer(demonstrations, replace(QUICK, bfloat16=False), 0, tmp_path)
    frames = np.concatenate([np.flatnonzero(demonstrations.instruction == each)[:3] for each in (0, 1)])
    draws = trainer._draws(np.random.default_rng(0), 6, 2, 0.0)
    parts = [
        Draws(draws.noise[6 * half : 6 * half + 6], draws.time[6 * half : 6 * half + 6], draws.brightness[:3])
        for half in (0, 1)
    ]
    with torch.inference_mode():
        whole = trainer._learner(demonstrations.batch(frames), draws)[0]
        halves = [trainer._learner(demonstrations.batch(frames[3 * k : 3 * k + 3]), parts[k])[0] for k in (0, 1)]
    assert float(whole) == pytest.approx(float(halves[0] + halves[1]) / 2, rel=1e-5)


def test_a_training_begins_with_another_checkpoints_weights_and_keeps_its_words_ids(
    folder, two_instructions, demonstrations, tmp_path
):
    first = Trainer(demonstrations, QUICK, 0, tmp_path / "first")
    first.run(until=4)
    begin = tmp_path / "begin"
    export_checkpoint(first, load_profile("widowx_250s"), begin, "unknown")
    second = Trainer(Demonstrations(two_instructions, QUICK.horizon), QUICK, 1, tmp_path / "second", begin)
    assert second.vocabulary.words[:5] == first.vocabulary.words
    for name, weight in load_policy(begin).model.state_dict().items():
        assert torch.equal(weight, second.averaged_model().state_dict()[name]), name
    second.run(until=1)
    with pytest.raises(ConfigurationError, match=r"training.begun_from"):
        Trainer(Demonstrations(two_instructions, QUICK.horizon), QUICK, 1, tmp_path / "second")
    with pytest.raises(ConfigurationError, match="begin"):
        Trainer(demonstrations, replace(QUICK, shape=replace(SMALL, width=64)), 1, tmp_path / "third", begin)


@pytest.mark.parametrize(("key", "value"), [("task", "cups"), ("robot", "jaka_s5")])
def test_demonstrations_of_another_task_or_robot_are_refused(folder, tmp_path, key, value):
    for path in folder.glob("*.npy"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "meta.json").write_text(json.dumps(json.loads((folder / "meta.json").read_text()) | {key: value}))
    folders = TrainingFolders(tmp_path / "work", tmp_path / "out", tmp_path / "docs", tmp_path)
    with pytest.raises(ConfigurationError, match=rf"demonstrations.{key}: got '{value}'"):
        train_task(TrainingPlan("cubes"), folders, recipe=QUICK, console=Console(quiet=True))


@pytest.mark.parametrize("instructions", [None, [], "put", [1]])
def test_demonstrations_without_instructions_are_refused(folder, tmp_path, instructions):
    (tmp_path / "meta.json").write_text(json.dumps({"task": "cubes", "instructions": instructions}))
    with pytest.raises(ConfigurationError, match="instructions"):
        Demonstrations(tmp_path, 16)
