"""What similarity is judged by (spec C2): situations that look alike to the policy have embeddings that point alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ams_ros.context.index.embedding import DIMENSION, context_embedding
from ams_ros.errors import ConfigurationError

CAMERAS = ("front", "wrist")
JOINTS = np.array([0.0, -1.2, 1.0, 0.0, 1.5, 0.1])


def features(tokens: int = 16, width: int = 24, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {camera: rng.standard_normal((tokens, width)).astype(np.float32) for camera in CAMERAS}


def with_object_in(cell: int) -> dict[str, np.ndarray]:
    """Pictures of one scene in which an object covers one of 16 cells; the wrist camera does not see it."""
    scene = features()
    rng = np.random.default_rng(9)
    scene["front"][cell] += 3 * rng.standard_normal(24)
    return scene


@pytest.mark.parametrize(("tokens", "width"), [(16, 128), (256, 64), (196, 32), (50, 8), (3, 5)])
@pytest.mark.parametrize("cameras", [("front",), CAMERAS], ids=["one camera", "two cameras"])
def test_an_embedding_has_length_one_and_the_same_size_for_every_picture(tokens, width, cameras):
    embeddings = [context_embedding(features(tokens, width, seed), cameras, JOINTS, 0.02) for seed in range(3)]
    assert {each.shape for each in embeddings} == {embeddings[0].shape}
    assert len(embeddings[0]) <= DIMENSION
    assert [each.dtype for each in embeddings] == [np.float32] * 3
    assert [float(np.linalg.norm(each)) for each in embeddings] == pytest.approx([1.0] * 3, abs=1e-5)


def test_an_embedding_is_the_same_for_ever():
    """Stored embeddings are compared with new ones, so neither numpy's random numbers nor anything else may move it."""
    pictures = {"front": np.arange(96, dtype=np.float32).reshape(16, 6) % 7}
    embedding = context_embedding(pictures, ("front",), JOINTS, 0.02)
    assert embedding[[0, 1, 50, 100, 113, -1]] == pytest.approx(
        [-0.021886, 0.059173, -0.036477, -0.025939, -0.041746, 0.210037], abs=1e-5
    )


def test_it_matters_where_in_the_picture_an_object_is():
    here = context_embedding(with_object_in(0), CAMERAS, JOINTS, 0.02)
    there = context_embedding(with_object_in(10), CAMERAS, JOINTS, 0.02)
    assert float(here @ there) < 0.95
    assert float(here @ here) == pytest.approx(1.0, abs=1e-5)


def test_what_all_tokens_share_does_not_matter():
    brighter = {camera: tokens + 5.0 for camera, tokens in features().items()}
    plain = context_embedding(features(), CAMERAS, JOINTS, 0.02)
    assert context_embedding(brighter, CAMERAS, JOINTS, 0.02) == pytest.approx(plain, abs=1e-4)


def test_posture_matters_less_the_smaller_the_difference():
    start = context_embedding(features(), CAMERAS, JOINTS, 0.02)
    cosines = [float(start @ context_embedding(features(), CAMERAS, JOINTS + turn, 0.02)) for turn in (0.0, 0.1, 0.5)]
    assert cosines[0] == pytest.approx(1.0, abs=1e-5)
    assert cosines == sorted(cosines, reverse=True)
    closed = context_embedding(features(), CAMERAS, JOINTS, 0.037)
    assert float(start @ closed) < 0.999


def test_pictures_without_any_difference_in_them_leave_the_posture():
    blank = {camera: np.ones((16, 8), np.float32) for camera in CAMERAS}
    embedding = context_embedding(blank, CAMERAS, JOINTS, 0.02)
    assert float(np.linalg.norm(embedding)) == pytest.approx(1.0, abs=1e-5)


def _spoiled(change: Callable[[dict[str, np.ndarray]], None]) -> dict[str, np.ndarray]:
    pictures = features()
    change(pictures)
    return pictures


@pytest.mark.parametrize(
    ("pictures", "cameras", "joints", "named"),
    [
        (_spoiled(lambda all: all.pop("wrist")), CAMERAS, JOINTS, "wrist"),
        (_spoiled(lambda all: all["front"].fill(np.nan)), CAMERAS, JOINTS, "front"),
        (_spoiled(lambda all: all.update(front=np.ones((2, 3, 4)))), CAMERAS, JOINTS, "front"),
        (_spoiled(lambda all: all.update(front=np.ones((16, 4), np.int32))), CAMERAS, JOINTS, "front"),
        (features(), CAMERAS, JOINTS * np.nan, "joints"),
        (features(), (), JOINTS, "0 cameras"),
        (features(), CAMERAS, np.zeros(60), "60 joints"),
    ],
    ids=["missing", "nan", "shape", "integers", "joints", "no camera", "too many joints"],
)
def test_what_cannot_be_embedded_is_refused_by_name(pictures, cameras, joints, named):
    with pytest.raises(ConfigurationError, match=named):
        context_embedding(pictures, cameras, joints, 0.02)


def test_c2_a_scene_with_its_cube_at_almost_the_same_place_is_more_similar_than_any_with_it_far_away():
    """The shipped policy's own eyes, on scenes whose cube also has another yaw and, in half of them, another colour."""
    from ams_ros.policy.pi0 import load_policy  # noqa: PLC0415  torch takes seconds to import
    from ams_ros.robot.profile import load_profile  # noqa: PLC0415
    from ams_ros.simulation.layout import CubePlacement, SceneLayout  # noqa: PLC0415
    from ams_ros.simulation.plant import Plant  # noqa: PLC0415
    from ams_ros.simulation.robot import SimulatedRobot  # noqa: PLC0415
    from ams_ros.simulation.tasks.cubes import COLOURS  # noqa: PLC0415

    policy, robot = load_policy("cubes"), SimulatedRobot(Plant(load_profile("widowx_250s")))

    def seen(x: float, y: float, yaw: float, colour: int) -> np.ndarray:
        robot.reset(SceneLayout((CubePlacement(x, y, yaw, COLOURS[colour]),)))
        observation = robot.observe("put the cubes in the bowl")
        tokens = policy.features_to_host(policy.encode_cameras(observation))
        return context_embedding(tokens, policy.description.cameras, observation.joints, observation.gripper)

    places = np.array([(x, y) for x in (0.19, 0.27, 0.35) for y in (-0.18, -0.08, 0.02)])
    scenes = np.array([seen(x, y, 0.0, 0) for x, y in places])
    moved = np.array([seen(x + 0.01, y - 0.01, 0.4, place % 2) for place, (x, y) in enumerate(places)])
    cosines = moved @ scenes.T
    far_away = np.linalg.norm(places[:, None] - places, axis=2) > 0.12
    assert far_away.any(axis=1).all()
    assert (cosines.diagonal() > np.where(far_away, cosines, -1.0).max(axis=1)).all()
