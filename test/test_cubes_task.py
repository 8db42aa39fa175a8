"""The task "cubes": which scenes it draws, and what counts as placed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.layout import BOWL_CENTRE, BOWL_OUTER_RADIUS, CUBE_SIDE, CubePlacement, SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks import find_task
from ams_ros.simulation.tasks.cubes import CubesTask, SceneDomain

PROFILE = load_profile("widowx_250s")
TASK = CubesTask()


def test_the_task_is_found_by_its_name_and_others_are_refused() -> None:
    assert find_task("cubes").instruction == "put the cubes in the bowl"
    with pytest.raises(ConfigurationError, match="task: got 'cup', allowed: cubes, cups, mixed"):
        find_task("cup")


@given(seed=st.integers(0, 2**62), objects=st.integers(1, 7))
@settings(deadline=None, max_examples=60)
def test_cubes_lie_apart_from_each_other_and_from_the_bowl_in_colours_of_their_own(seed: int, objects: int) -> None:
    cubes = TASK.sample(seed, objects).cubes
    places = np.array([(cube.x, cube.y) for cube in cubes])
    between = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.eye(objects)
    assert len(cubes) == objects
    assert len({cube.colour for cube in cubes}) == objects
    # An open gripper is 94 mm wide outside: half of it must fit beside a cube's middle.
    assert between.min() > 0.047 + CUBE_SIDE / np.sqrt(2)
    assert np.linalg.norm(places - BOWL_CENTRE, axis=1).min() > BOWL_OUTER_RADIUS + 0.047


def test_a_seed_always_draws_the_same_scene_and_another_seed_another() -> None:
    assert TASK.sample(5, 3).cubes == TASK.sample(5, 3).cubes
    assert TASK.sample(5, 3).cubes != TASK.sample(6, 3).cubes


def test_training_scenes_are_not_evaluation_scenes() -> None:
    evaluation = {cube for seed in range(50) for cube in TASK.sample(seed, 2).cubes}
    training = {cube for seed in range(50) for cube in TASK.sample(seed, 2, domain=SceneDomain.TRAINING).cubes}
    assert len(evaluation) == len(training) == 100
    assert not evaluation & training


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((0, 0), r"objects: got 0, allowed: 1\.\.7"),
        ((0, 8), r"objects: got 8, allowed: 1\.\.7"),
        ((0, 2, 3), r"done: got 3, allowed: 0\.\.2"),
        ((-1, 2), r"seed: got -1, allowed: 0 or more"),
    ],
)
def test_impossible_scenes_are_refused(arguments: tuple[int, ...], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        TASK.sample(*arguments)


def test_cubes_already_in_the_bowl_count_as_placed_and_lie_still_and_those_on_the_table_do_not() -> None:
    plant = Plant(PROFILE)
    for seed in range(5):
        plant.reset(TASK.sample(seed, 5, done=3))
        assert TASK.placed(plant) == 3
        assert plant.cube_speeds().max() < 0.02


def test_a_cube_counts_only_once_it_lies_still_in_the_bowl() -> None:
    plant = Plant(PROFILE)
    plant.reset(SceneLayout(cubes=(CubePlacement(*BOWL_CENTRE, 0.2, (1.0, 0.0, 0.0), z=0.09),)))
    plant.advance(0.05)
    assert TASK.placed(plant) == 0
    plant.advance(0.6)
    assert TASK.placed(plant) == 1


def test_a_cube_beside_the_bowl_is_not_placed() -> None:
    plant = Plant(PROFILE)
    beside = CubePlacement(BOWL_CENTRE[0], BOWL_CENTRE[1] - 0.12, 0.0, (1.0, 0.0, 0.0))
    plant.reset(SceneLayout(cubes=(beside,)))
    plant.advance(0.3)
    assert TASK.placed(plant) == 0
