"""The tasks "cups" and "mixed": which scenes they draw, what counts as done, and the honesty of the cups' physics."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.faults.fault import HAND
from ams_ros.simulation.layout import (
    BOWL_CENTRE,
    BOWL_OUTER_RADIUS,
    CUP_HEIGHT,
    CUP_MASS,
    CUP_RADIUS,
    CupPlacement,
    SceneLayout,
)
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.reach import reach_of
from ams_ros.simulation.tasks import MixedTask, SceneDomain, find_task
from ams_ros.simulation.workspace import Workspace

PROFILE = load_profile("widowx_250s")
CUPS, MIXED = find_task("cups"), MixedTask()
RED = (0.85, 0.10, 0.10)
CUP = CupPlacement(0.33, 0.0, np.pi, RED)
HOOK = 0.063


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    plant = Plant(PROFILE)
    yield plant
    plant.close()


def strip(cup: CupPlacement) -> np.ndarray:
    """Points all over the table a cup takes while it stands and once it lies."""
    along = np.linspace(-CUP_RADIUS, CUP_RADIUS + CUP_HEIGHT, 40)
    beside = np.linspace(-CUP_RADIUS, CUP_RADIUS, 15)
    ahead = np.array([np.cos(cup.heading), np.sin(cup.heading)])
    points = along[:, None, None] * ahead + beside[None, :, None] * np.array([-ahead[1], ahead[0]])
    return points.reshape(-1, 2) + np.array([cup.x, cup.y])


def straight(plant: Plant, begin: np.ndarray, end: np.ndarray, seconds: float, finger: float) -> None:
    """Lead the tip in a straight line, gripper down, at 100 Hz."""
    plant.command_gripper(finger)
    updates = round(seconds / 0.01)
    for update in range(1, updates + 1):
        goal = reach_of(PROFILE).solve(begin + (end - begin) * update / updates, 0.0)
        assert goal is not None
        plant.command_arm(goal)
        plant.advance(0.01)


def behind(plant: Plant) -> np.ndarray:
    """The hand hooked behind a standing cup, its fingers nearly closed."""
    tip = np.array([CUP.x + 0.045, 0.0, HOOK])
    plant.reset(SceneLayout(cups=(CUP,), bowl=False, arm=reach_of(PROFILE).solve(tip, 0.0), finger=0.018))
    return tip


def test_each_task_is_found_and_says_what_it_is_about() -> None:
    assert (CUPS.instruction, CUPS.kinds) == ("pull the cups down", ("cup",))
    assert (find_task("mixed").instruction, find_task("mixed").kinds) == ("clear the table", ("cube", "cup"))
    assert CUPS.maximum_objects == MIXED.maximum_objects == 7


@given(seed=st.integers(0, 2**62), objects=st.integers(1, 7))
@settings(deadline=None, max_examples=60)
def test_cups_stand_in_colours_of_their_own_where_none_hits_a_standing_one_as_it_falls(seed: int, objects: int) -> None:
    cups = CUPS.sample(seed, objects).cups
    assert len({cup.colour for cup in cups}) == objects
    for cup in cups:
        others = [other for other in cups if other is not cup]
        for other in others:
            gap = np.linalg.norm(strip(cup) - (other.x, other.y), axis=1).min() - CUP_RADIUS
            assert gap > 0.004


@given(seed=st.integers(0, 2**62), objects=st.integers(1, 7), share=st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=60)
def test_mixed_tables_hold_both_kinds_apart_from_each_other_and_from_the_bowl(
    seed: int, objects: int, share: float
) -> None:
    done = int(share * objects)
    layout = MIXED.sample(seed, objects, done)
    assert len(layout.cubes) + len(layout.cups) == objects
    assert objects == 1 or (layout.cubes and layout.cups)
    outside = [
        cube for cube in layout.cubes if np.hypot(cube.x - BOWL_CENTRE[0], cube.y - BOWL_CENTRE[1]) > BOWL_OUTER_RADIUS
    ]
    assert len(layout.cubes) - len(outside) + sum(cup.down for cup in layout.cups) == done
    for cup in layout.cups:
        assert np.linalg.norm(strip(cup) - BOWL_CENTRE, axis=1).min() > BOWL_OUTER_RADIUS
        for cube in outside:
            # An open gripper is 94 mm wide outside: half of it must fit between cube and cup.
            assert np.linalg.norm(strip(cup) - (cube.x, cube.y), axis=1).min() > 0.047


@pytest.mark.parametrize("task", [CUPS, MIXED])
def test_scenes_are_a_function_of_seed_objects_done_and_domain(task) -> None:
    def drawn(seed: int, objects: int, done: int, domain: SceneDomain) -> str:
        layout = task.sample(seed, objects, done, domain)
        return repr((layout.cubes, layout.cups, layout.settle))

    one = drawn(5, 4, 1, SceneDomain.EVALUATION)
    assert one == drawn(5, 4, 1, SceneDomain.EVALUATION)
    others = {
        drawn(6, 4, 1, SceneDomain.EVALUATION),
        drawn(5, 5, 1, SceneDomain.EVALUATION),
        drawn(5, 4, 2, SceneDomain.EVALUATION),
        drawn(5, 4, 1, SceneDomain.TRAINING),
    }
    assert len(others | {one}) == 5


def test_impossible_scenes_are_refused() -> None:
    for task in (CUPS, MIXED):
        with pytest.raises(ConfigurationError, match=r"objects: got 8, allowed: 1\.\.7"):
            task.sample(0, 8)
        with pytest.raises(ConfigurationError, match=r"done: got 3, allowed: 0\.\.2"):
            task.sample(0, 2, 3)
        with pytest.raises(ConfigurationError, match="seed: got -1"):
            task.sample(-1, 2)
    with pytest.raises(ConfigurationError, match=r"cups: got 4, allowed: 0\.\.3"):
        MIXED.scene(0, 1, 4)
    with pytest.raises(ConfigurationError, match=r"cubes_done: got 2, allowed: 0\.\.1"):
        MIXED.scene(0, 1, 1, cubes_done=2)


def test_cups_that_lie_count_as_done_and_those_that_stand_go_on_standing(plant: Plant) -> None:
    plant.reset(CUPS.sample(2, 5, done=2))
    assert CUPS.placed(plant) == 2
    plant.advance(1.0)
    tilts, speeds = plant.cup_tilts()
    assert CUPS.placed(plant) == 2
    assert np.abs(tilts[:3]).max() < 0.01
    assert np.abs(speeds).max() < 1e-3


def test_a_cup_that_is_let_go_before_its_tipping_point_stands_up_again(plant: Plant) -> None:
    tip = behind(plant)
    straight(plant, tip, tip - (0.045, 0.0, 0.0), 0.4, 0.018)
    tilted = plant.cup_tilts()[0][0]
    assert 0.1 < tilted < np.arctan2(CUP_RADIUS, CUP_HEIGHT / 2)
    straight(plant, tip - (0.045, 0.0, 0.0), tip, 0.4, 0.018)
    plant.advance(1.0)
    assert abs(plant.cup_tilts()[0][0]) < 0.01
    assert CUPS.placed(plant) == 0


def test_a_cup_pulled_beyond_its_tipping_point_falls_by_its_weight_and_stays_down_without_bouncing(
    plant: Plant,
) -> None:
    tip = behind(plant)
    straight(plant, tip, tip - (0.075, 0.0, 0.0), 0.5, 0.018)
    held = plant.cup_tilts()[0][0]
    assert np.arctan2(CUP_RADIUS, CUP_HEIGHT / 2) < held < 1.2
    straight(plant, tip - (0.075, 0.0, 0.0), tip - (0.075, 0.0, -0.08), 0.4, 0.018)
    plant.advance(0.4)
    assert plant.cup_tilts()[0][0] == pytest.approx(np.pi / 2, abs=0.02)
    for _ in range(20):
        plant.advance(0.05)
        assert plant.cup_tilts()[0][0] == pytest.approx(np.pi / 2, abs=0.02)
    assert CUPS.placed(plant) == 1


def test_the_wrist_feels_the_weight_that_the_pull_has_to_lift(plant: Plant) -> None:
    tip = behind(plant)
    plant.advance(0.3)
    free = plant.wrench().force
    straight(plant, tip, tip - (0.035, 0.0, 0.0), 1.0, 0.018)
    plant.advance(0.3)
    # The gripper points down, its z axis along the pull. Friction at the fingers adds to what the weight takes.
    weight = 9.81 * CUP_MASS * CUP_RADIUS / HOOK
    resistance = np.abs(plant.wrench().force - free)[2]
    assert 0.8 * weight < resistance < 6.0 * weight
    straight(plant, tip - (0.035, 0.0, 0.0), tip, 0.4, 0.018)
    plant.advance(0.5)
    assert np.abs(plant.wrench().force - free).max() < 0.1


def test_obstacles_keep_clear_of_cups_and_move_with_the_table() -> None:
    moved = Plant(PROFILE, workspace=Workspace((0.05, -0.10)))
    assert moved.disturbances.above_table == pytest.approx((0.32, 0.0, 0.13))
    moved.reset(SceneLayout(cups=(CupPlacement(0.33, 0.1, np.pi, RED),), bowl=False))
    assert moved.cup_feet()[0] == pytest.approx((0.38, 0.0, np.pi))
    assert not moved.disturbances.place_obstacle(np.array([0.38, 0.0, 0.10]), 0.02)
    assert moved.disturbances.place_obstacle(np.array([0.38, -0.3, 0.10]), 0.02)
    moved.disturbances.push(HAND, np.array([0.0, 5.0, 0.0]))
    moved.disturbances.clear()


def test_cups_appear_in_their_colours_before_the_front_camera_and_all_of_them(plant: Plant) -> None:
    for seed in range(3):
        plant.reset(CUPS.sample(seed, 7))
        pixels = plant.render("front", 128, 128).pixels.astype(int)
        for cup in plant.layout.cups:
            away = np.abs(pixels / pixels.max(axis=2, keepdims=True).clip(1) - np.array(cup.colour) / max(cup.colour))
            assert (away.max(axis=2) < 0.2).sum() > 20
