"""Demonstrations made of the scripted experts (theirs: test_experts)."""

import json
from pathlib import Path

import numpy as np
import pytest

from ams_ros.errors import ConfigurationError
from ams_ros.robot.kinematics import forward
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.layout import BOWL_CENTRE
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks import find_task
from ams_ros.simulation.workspace import Workspace
from ams_ros.training import demonstrations
from ams_ros.training.demo_mix import DemoMix, draw_scene, random_pose
from ams_ros.training.demonstration import ARRAYS, demonstrate, instructions_of
from ams_ros.training.demonstrations import DemoRequest, collect
from ams_ros.training.disturbance import command_noise
from ams_ros.training.lessons import Lesson, lessons_of

PROFILE = load_profile("widowx_250s")
CUBES = lessons_of("cubes")
FOLDER_ARRAYS = (*ARRAYS, "episode")


def test_a_demonstration_handles_one_cube_and_ends_at_rest() -> None:
    plant, mix = Plant(PROFILE), DemoMix()
    episode, rejected = demonstrate(plant, (1, 0), CUBES, mix)
    frames = len(episode.state)
    assert rejected >= 0
    assert episode.front.shape == episode.wrist.shape == (frames, 64, 64, 3)
    assert (episode.front.dtype, episode.state.dtype, episode.idle.dtype) == (np.uint8, np.float32, np.bool_)
    assert episode.state.shape == episode.action.shape == (frames, 7)
    assert episode.idle[-mix.idle_steps :].all()
    assert not episode.idle[: -mix.idle_steps].all()
    # At rest the label is exactly the start pose with the gripper open.
    rest = np.append(PROFILE.start, PROFILE.gripper.upper).astype(np.float32)
    assert (episode.action[-mix.idle_steps :] == rest).all()
    picked = np.flatnonzero(np.diff(episode.held.astype(int)) == 1)
    assert len(picked) >= 1
    # The handled cube ends in the bowl.
    assert np.linalg.norm(episode.target[-1, :2] - BOWL_CENTRE) < 0.085
    assert ((episode.action[:, :6] >= PROFILE.lower) & (episode.action[:, :6] <= PROFILE.upper)).all()
    plant.close()


def test_labels_are_clean_while_the_executed_commands_are_noisy() -> None:
    # The expert never wants the forearm rolled, so only the noise on executed commands can roll it.
    plant = Plant(PROFILE)

    def roll(noise: float) -> tuple[float, float]:
        """Largest roll that was measured, and that was wanted, until the cube is held."""
        episode, _ = demonstrate(plant, (4, 2), CUBES, DemoMix(noise=noise, random_start=0.0, askew=0.0))
        before = slice(0, int(np.flatnonzero(episode.held)[0]))
        return float(np.abs(episode.state[before, 3]).max()), float(np.abs(episode.action[before, 3]).max())

    measured, wanted = roll(0.014)
    assert measured > 0.006
    assert wanted == 0.0
    assert roll(0.0)[0] < 0.004
    plant.close()


def test_demonstrations_of_a_seed_are_the_same_whatever_the_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demonstrations, "_SHARD_EPISODES", 1)
    collect(tmp_path / "one", DemoRequest("cubes", 2, 7), workers=1)
    collect(tmp_path / "two", DemoRequest("cubes", 2, 7), workers=2)
    for name in FOLDER_ARRAYS:
        one, two = (np.load(tmp_path / folder / f"{name}.npy") for folder in ("one", "two"))
        assert (one == two).all(), name
    episode = np.load(tmp_path / "one" / "episode.npy")
    assert sorted(set(episode.tolist())) == [0, 1]
    assert (np.diff(episode) >= 0).all()
    meta = json.loads((tmp_path / "one" / "meta.json").read_text())
    assert (meta["task"], meta["episodes"], meta["frames"]) == ("cubes", 2, len(episode))
    assert meta["mix"]["idle_steps"] == 20


def test_an_interrupted_collection_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstrations, "_SHARD_EPISODES", 1)

    def interrupt(done: int, episodes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(tmp_path, DemoRequest("cubes", 2, 5), progress=interrupt)
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["000000.npz"]
    reports: list[tuple[int, int]] = []
    collect(tmp_path, DemoRequest("cubes", 2, 5), progress=lambda done, episodes: reports.append((done, episodes)))
    assert reports == [(2, 2)]
    assert not (tmp_path / "shards").exists()
    collect(tmp_path, DemoRequest("cubes", 2, 5), progress=interrupt)


def test_a_folder_with_other_demonstrations_is_refused(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps({"seed": 1}))
    with pytest.raises(ConfigurationError, match="an empty folder, or one begun with"):
        collect(tmp_path, DemoRequest("cubes", 1, 2))


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"noise_memory": 1.5}, "mix.noise_memory"),
        ({"done_weights": ()}, "mix.done_weights"),
        ({"left_weights": (0.0, 0.0)}, "mix.left_weights"),
    ],
)
def test_an_impossible_mix_is_refused(arguments: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key}: got"):
        DemoMix(**arguments)  # type: ignore[arg-type]


def test_random_starts_and_closed_grippers_appear_as_often_as_the_mix_says() -> None:
    mix, rng = DemoMix(), np.random.default_rng(0)
    drawn = [draw_scene(CUBES[0], PROFILE, Workspace(), rng, mix) for _ in range(400)]
    home = np.mean([np.array_equal(layout.arm, PROFILE.start) for layout, _ in drawn])
    closed = np.mean([layout.finger == PROFILE.gripper.lower for layout, _ in drawn])
    begun = np.mean([done > 0 for _, done in drawn])
    assert home == pytest.approx(0.5, abs=0.08)
    assert closed == pytest.approx(0.15, abs=0.06)
    assert begun == pytest.approx(0.55, abs=0.08)
    # No random start begins below the height of a heap.
    lowest = min(forward(PROFILE, layout.arm)[1][2] for layout, _ in drawn if layout.arm is not None)
    assert lowest > 0.05


def test_a_cube_grasped_askew_is_carried_like_any_other() -> None:
    plant, widest = Plant(PROFILE), []
    for index in range(4):
        episode, _ = demonstrate(plant, (9, index), CUBES, DemoMix(askew=1.0, finished=0.0))
        assert np.linalg.norm(episode.target[-1, :2] - BOWL_CENTRE) < 0.085
        widest.append(np.median(episode.state[episode.held, -1]))
    # Straight, the fingers close to 0.0178 m.
    assert max(widest) > 0.0185
    plant.close()


def test_a_full_table_begins_with_nothing_done_whatever_the_mix_wants() -> None:
    mix = DemoMix(left_weights=(0.0,) * 6 + (1.0,), done_weights=(0.0, 1.0))
    layout, done = draw_scene(CUBES[0], PROFILE, Workspace(), np.random.default_rng(0), mix)
    assert (len(layout.cubes), done) == (7, 0)


def test_a_table_with_nothing_left_is_shown_by_going_home_and_staying_there() -> None:
    plant = Plant(PROFILE)
    for task in ("cubes", "cups"):
        episode, _ = demonstrate(plant, (3, 0), lessons_of(task), DemoMix(finished=1.0))
        assert not episode.present.any()
        assert not episode.held.any()
        assert np.abs(episode.state[0, :6] - PROFILE.start).max() > 0.05
        assert np.abs(episode.state[-1, :6] - PROFILE.start).max() < 0.02
    plant.close()


def test_a_cup_is_pulled_down_and_the_others_stay_as_they_are() -> None:
    plant, mix = Plant(PROFILE), DemoMix(left_weights=(0.0, 0.0, 1.0), done_weights=(0.0, 1.0))
    episode, _ = demonstrate(plant, (0, 1), lessons_of("cups"), mix)
    assert find_task("cups").placed(plant) == 2
    assert episode.held.any()
    assert episode.present.all()
    plant.close()


@pytest.mark.parametrize("kind", ["cube", "cup"])
def test_a_parts_instruction_is_about_its_own_kind_of_object_only(kind: str) -> None:
    (lesson,) = (lesson for lesson in lessons_of("mixed") if lesson.kind == kind)
    part = find_task({"cube": "cubes", "cup": "cups"}[kind])
    assert (lesson.instruction, lesson.task) == (part.instruction, "mixed")
    plant = Plant(PROFILE)
    demonstrate(plant, (5, 0), (lesson,), DemoMix(left_weights=(0.0, 0.0, 1.0), done_weights=(1.0,), finished=0.0))
    assert [part.placed(plant), find_task("mixed").placed(plant)] == [1, 1]
    plant.close()


def test_a_frame_says_which_of_the_instructions_was_given() -> None:
    lessons = lessons_of("mixed")
    assert instructions_of(lessons) == ("clear the table", "put the cubes in the bowl", "pull the cups down")
    plant = Plant(PROFILE)
    drawn = [demonstrate(plant, (0, index), lessons, DemoMix(finished=1.0))[0].instruction for index in range(4)]
    assert all((said == said[0]).all() for said in drawn)
    assert len({int(said[0]) for said in drawn}) > 1
    plant.close()


def test_another_robots_demonstrations_have_its_joints_its_table_and_less_noise_for_its_longer_arm() -> None:
    jaka = load_profile("jaka_s5")
    plant = Plant(jaka)
    episode, _ = demonstrate(plant, (0, 0), CUBES, DemoMix(random_start=1.0))
    assert episode.state.shape[1] == len(jaka.joints) + 1
    assert ((episode.action[:, :-1] >= jaka.lower) & (episode.action[:, :-1] <= jaka.upper)).all()
    assert find_task("cubes").placed(plant) >= 1
    assert command_noise(DemoMix(), jaka) < 0.012 < command_noise(DemoMix(), PROFILE)
    tips = [
        forward(jaka, random_pose(jaka, plant.workspace, np.random.default_rng(seed)))[1] - plant.workspace.shift
        for seed in range(20)
    ]
    assert (np.abs(np.array(tips) - (0.26, 0.0, 0.18)) < (0.2, 0.35, 0.16)).all()
    plant.close()


def test_what_cannot_be_demonstrated_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cubes, cups, mixed"):
        DemoRequest("juggling", 1, 0)
    with pytest.raises(ConfigurationError, match="episodes: got 0"):
        DemoRequest("cubes", 0, 0)
    with pytest.raises(ConfigurationError, match="task"):
        demonstrate(Plant(PROFILE), (0, 0), (Lesson("fly", "flying"),), DemoMix())
