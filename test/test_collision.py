"""What the collision checker calls touching: the same as the simulator's contacts, along whole paths, with names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from changed_file import changed_file

from ams_ros.errors import ConfigurationError
from ams_ros.recovery.arm_shape import arm_parts, reaches
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.surroundings import Surroundings, Thing, load_surroundings, read_surroundings
from ams_ros.resources import share_directory
from ams_ros.robot.profile import load_profile
from ams_ros.robot.shape import Shape, ShapeKind
from ams_ros.simulation.downward_reach import DownwardReach
from ams_ros.simulation.scene import build_model
from ams_ros.types import Float64Array

PROFILE = load_profile("widowx_250s")
AROUND = load_surroundings("table_and_bowl")
NOTHING = Surroundings("nothing", "Empty space", ())
FILE = share_directory() / "config" / "surroundings" / "table_and_bowl.yaml"

ALMOST = 0.0005
"""m; nearer than this to touching, two libraries may say different things."""


@pytest.fixture(scope="module")
def bare() -> ArmCollisionChecker:
    return ArmCollisionChecker(PROFILE, AROUND, padding=0.0)


def poses() -> Iterator[Float64Array]:
    """Anywhere within the limits, and low around the bowl."""
    rng = np.random.default_rng(5)
    yield from rng.uniform(PROFILE.lower, PROFILE.upper, (250, 6))
    for x, y, z in rng.uniform((0.15, 0.05, 0.0), (0.38, 0.32, 0.09), (150, 3)):
        low = DownwardReach(PROFILE).solve(np.array([x, y, z]), float(rng.uniform(-1.5, 1.5)))
        if low is not None:
            yield np.clip(low + rng.normal(0.0, 0.05, 6), PROFILE.lower, PROFILE.upper)


class Contacts:
    """The simulator's own verdict on a pose."""

    def __init__(self) -> None:
        self._model: Any = build_model(PROFILE, cubes=0, timestep=0.002)
        self._data: Any = mujoco.MjData(self._model)

    def touched(self, position: Float64Array) -> set[str]:
        """Which things the arm touches with the fingers anywhere in their stroke."""
        found: set[str] = set()
        for finger in np.linspace(PROFILE.gripper.lower, PROFILE.gripper.upper, 7):
            for name, value in zip(PROFILE.joint_names, position, strict=True):
                self._data.joint(name).qpos[0] = value
            for name in (PROFILE.gripper.joint, PROFILE.gripper.mirror_joint):
                self._data.joint(name).qpos[0] = finger
            mujoco.mj_forward(self._model, self._data)
            for contact in self._data.contact:
                bodies = (int(self._model.geom_bodyid[geom]) for geom in contact.geom)
                names = {self._model.body(int(self._model.body_rootid[body])).name for body in bodies}
                found |= {"table" if name == "world" else name for name in names} & {"table", "bowl"}
        return found


def test_it_agrees_with_the_simulators_contacts_in_random_poses(bare: ArmCollisionChecker) -> None:
    contacts, seen = Contacts(), {"table": 0, "bowl": 0, "neither": 0}
    touchable = np.array([second for _, second in bare.pairs])
    for position in poses():
        distances, touched = bare.clearances(position), contacts.touched(position)
        for thing in ("table", "bowl"):
            nearest = distances[touchable == thing].min()
            if abs(nearest) > ALMOST:
                assert (thing in touched) == (nearest < 0.0), (thing, nearest, position)
        for thing in touched or {"neither"}:
            seen[thing] += 1
    assert min(seen.values()) > 40, seen


def test_touching_and_clearance_say_the_same(bare: ArmCollisionChecker) -> None:
    for position in poses():
        nearest = float(bare.clearances(position).min())
        if abs(nearest) > 1e-5:
            assert (bare.collides(position) is not None) == (nearest < 0.0)


def test_it_says_who_touches_what(bare: ArmCollisionChecker) -> None:
    low = DownwardReach(PROFILE).solve(np.array([0.30, -0.10, 0.005]), 0.0)
    assert low is not None
    assert bare.collides(low) in ("left_finger_link touches table", "right_finger_link touches table")
    folded = np.array([0.0, -1.80, 1.55, 0.0, 0.8, 0.0])
    assert bare.collides(folded) == "shoulder_link touches wrist_link"


def test_the_start_pose_the_safe_pose_and_a_grasp_are_clear_by_the_padding() -> None:
    checker = ArmCollisionChecker(PROFILE, AROUND)
    grasp = DownwardReach(PROFILE).solve(np.array([0.27, -0.05, 0.020]), 0.0)
    assert grasp is not None
    assert [checker.collides(position) for position in (PROFILE.start, PROFILE.safe, grasp)] == [None] * 3


def test_the_safe_pose_keeps_the_gripper_far_above_the_table_and_the_bowl(bare: ArmCollisionChecker) -> None:
    distances = bare.clearances(PROFILE.safe)
    gripper = [first.startswith(("gripper", "left", "right")) for first, _ in bare.pairs]
    around = [second in ("table", "bowl") for _, second in bare.pairs]
    assert distances[np.array(gripper) & np.array(around)].min() > 0.15


def test_padding_keeps_that_much_free(bare: ArmCollisionChecker) -> None:
    position = DownwardReach(PROFILE).solve(np.array([0.30, -0.10, 0.020]), 0.0)
    assert position is not None
    room = float(bare.clearances(position).min())
    assert ArmCollisionChecker(PROFILE, AROUND, padding=room - 0.001).collides(position) is None
    assert ArmCollisionChecker(PROFILE, AROUND, padding=room + 0.001).collides(position) is not None


def test_a_path_that_was_found_free_touches_nothing_anywhere_on_it(bare: ArmCollisionChecker) -> None:
    checker, rng, free = ArmCollisionChecker(PROFILE, AROUND), np.random.default_rng(11), 0
    for _ in range(60):
        begin = rng.uniform(PROFILE.lower, PROFILE.upper)
        end = begin + rng.normal(0.0, 0.15, 6)
        if checker.path_collides(np.array([begin, end])) is None:
            free += 1
            finely = begin + np.linspace(0.0, 1.0, 200)[:, None] * (end - begin)
            assert [bare.collides(position) for position in finely] == [None] * len(finely)
    assert free > 15


def test_a_path_through_a_thin_wall_touches_though_its_ends_are_far_from_it() -> None:
    wall = Thing("wall", (Shape(ShapeKind.BOX, (0.2, 0.0005, 0.5), (0.35, 0.0, 0.5)),))
    checker = ArmCollisionChecker(PROFILE, Surroundings("cell", "A thin wall", (wall,)), padding=0.0)
    begin, end = PROFILE.start.copy(), PROFILE.start.copy()
    begin[0], end[0] = -1.0, 1.0
    assert checker.collides(begin) is None
    assert checker.collides(end) is None
    assert str(checker.path_collides(np.array([begin, end]))).endswith("touches wall")
    assert checker.path_collides(np.array([begin])) is None


def test_no_point_of_the_arm_moves_more_between_two_checks_than_was_promised() -> None:
    checker, rng = ArmCollisionChecker(PROFILE, AROUND), np.random.default_rng(2)
    for _ in range(20):
        begin, end = rng.uniform(PROFILE.lower, PROFILE.upper, (2, 6))
        checked = np.vstack([begin, checker.poses_along(begin, end)])
        assert checked[-1] == pytest.approx(end)
        turned = np.abs(np.diff(checked, axis=0)) @ reaches(PROFILE, arm_parts(PROFILE))
        assert turned.max() <= 2.0 * checker.padding + 1e-12


def test_neighbouring_links_and_links_drawn_into_each_other_are_not_checked() -> None:
    collar = Shape(ShapeKind.CYLINDER, (0.08, 0.1), (0.0, 0.0, 0.1))
    links = tuple(
        replace(link, shapes=(*link.shapes, collar)) if link.name == "base_link" else link for link in PROFILE.links
    )
    usual = set(ArmCollisionChecker(PROFILE, NOTHING).pairs)
    assert ("base_link", "upper_arm_link") in usual
    assert not usual & {("base_link", "shoulder_link"), ("wrist_link", "gripper_link")}
    collared = set(ArmCollisionChecker(replace(PROFILE, links=links), NOTHING).pairs)
    assert usual - collared == {("base_link", "upper_arm_link")}


@pytest.mark.parametrize("angles", [np.full(6, np.nan), np.zeros(5), np.zeros((1, 6))])
def test_angles_that_are_no_pose_are_never_called_free(bare: ArmCollisionChecker, angles: Float64Array) -> None:
    with pytest.raises(ValueError, match="6 finite numbers"):
        bare.collides(angles)
    with pytest.raises(ValueError, match=r"6 (finite numbers|angles)"):
        bare.path_collides(np.array([angles, angles]))


def test_a_path_without_a_pose_is_never_called_free(bare: ArmCollisionChecker) -> None:
    with pytest.raises(ValueError, match="at least one row"):
        bare.path_collides(np.zeros((0, 6)))


@pytest.mark.parametrize("padding", [-0.001, 0.2, np.nan])
def test_a_padding_out_of_range_is_refused(padding: float) -> None:
    with pytest.raises(ConfigurationError, match=r"padding: .* 0 to 0\.1 m"):
        ArmCollisionChecker(PROFILE, AROUND, padding)


def test_surroundings_nobody_wrote_are_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"surroundings: got 'moon', allowed: .*table_and_bowl"):
        load_surroundings("moon")


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("name",), None, r"name: got None, allowed: a word"),
        (("things",), None, r"things: .* a list of mappings"),
        (("things", 1, "name"), "table", r"things\[1\]\.name: got 'table', allowed: a name no other thing has"),
        (("things", 0, "shapes"), [], r"things\[0\]: .* shapes or a bowl"),
        (("things", 0, "shape"), [], r"things\[0\]\.shape.* shapes"),
        (("things", 0, "shapes", 0, "box"), [0.1, 0.1, float("nan")], r"box: got nan, allowed: a finite number"),
        (("things", 0, "shapes", 0, "place"), [0.1], r"shapes\[0\]\.place: .* 3 numbers"),
        (("things", 1, "bowl", "wall"), -0.1, r"bowl\.wall: got -0\.1, allowed: a number above 0"),
        (("things", 1, "bowl", "rim_radius"), 0.01, r"bowl\.rim_radius: .* at least floor_radius"),
    ],
)
def test_a_wrong_entry_of_the_surroundings_is_named_with_its_place(
    tmp_path: Path, path: tuple[Any, ...], value: object, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read_surroundings(changed_file(FILE, tmp_path, path, value))
