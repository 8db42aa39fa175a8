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
from ams_ros.training import demonstrations
from ams_ros.training.demonstrations import ARRAYS, DemoMix, collect, demonstrate

PROFILE = load_profile("widowx_250s")
FOLDER_ARRAYS = (*ARRAYS, "episode")


def test_a_demonstration_handles_one_cube_and_ends_at_rest() -> None:
    plant, mix = Plant(PROFILE), DemoMix()
    episode, rejected = demonstrate(plant, 1, 0, mix)
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
        episode, _ = demonstrate(plant, 4, 2, DemoMix(noise=noise, random_start=0.0))
        before = slice(0, int(np.flatnonzero(episode.held)[0]))
        return float(np.abs(episode.state[before, 3]).max()), float(np.abs(episode.action[before, 3]).max())

    measured, wanted = roll(0.014)
    assert measured > 0.012
    assert wanted == 0.0
    assert roll(0.0)[0] < 0.004
    plant.close()


def test_demonstrations_of_a_seed_are_the_same_whatever_the_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demonstrations, "_SHARD_EPISODES", 1)
    collect(tmp_path / "one", 2, 7, workers=1)
    collect(tmp_path / "two", 2, 7, workers=2)
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
        collect(tmp_path, 2, 5, progress=interrupt)
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["000000.npz"]
    reports: list[tuple[int, int]] = []
    collect(tmp_path, 2, 5, progress=lambda done, episodes: reports.append((done, episodes)))
    assert reports == [(2, 2)]
    assert not (tmp_path / "shards").exists()
    collect(tmp_path, 2, 5, progress=interrupt)


def test_a_folder_with_other_demonstrations_is_refused(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps({"seed": 1}))
    with pytest.raises(ConfigurationError, match="an empty folder, or one begun with"):
        collect(tmp_path, 1, 2)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"noise_memory": 1.5}, "mix.noise_memory"),
        ({"in_bowl_weights": ()}, "mix.in_bowl_weights"),
        ({"outside_weights": (1.0,) * 7, "in_bowl_weights": (1.0, 1.0)}, "mix"),
    ],
)
def test_an_impossible_mix_is_refused(arguments: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key}: got"):
        DemoMix(**arguments)  # type: ignore[arg-type]


def test_random_starts_and_closed_grippers_appear_as_often_as_the_mix_says() -> None:
    mix, rng = DemoMix(), np.random.default_rng(0)
    drawn = [demonstrations._draw_layout(PROFILE, rng, mix) for _ in range(400)]
    home = np.mean([np.array_equal(layout.arm, PROFILE.start) for layout, _ in drawn])
    closed = np.mean([layout.finger == PROFILE.gripper.lower for layout, _ in drawn])
    filled = np.mean([in_bowl > 0 for _, in_bowl in drawn])
    assert home == pytest.approx(0.5, abs=0.08)
    assert closed == pytest.approx(0.15, abs=0.06)
    assert filled == pytest.approx(0.55, abs=0.08)
    # No random start begins below the height of a heap.
    lowest = min(forward(PROFILE, layout.arm)[1][2] for layout, _ in drawn if layout.arm is not None)
    assert lowest > 0.05
