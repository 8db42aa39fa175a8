"""The JAKA S5: three computations of its kinematics agree, it reaches down, servos follow, nobody is alarmed."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.resources import share_directory
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.inverse_kinematics import reach
from ams_ros.robot.kinematics import forward
from ams_ros.robot.profile import load_profile, read_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.downward_reach import DownwardReach
from ams_ros.simulation.expert import make_expert
from ams_ros.simulation.guarded_robot import GuardedRobot
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.reach import reach_of
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.scene import build_model
from ams_ros.simulation.tasks import find_task
from ams_ros.simulation.workspace import workspace_of
from ams_ros.types import ActionSlice

PROFILE = load_profile("jaka_s5")
WORKSPACE = workspace_of(PROFILE)
PERIOD = 0.05

# Joint angles (rad), place of the flange (m) and the direction out of it, computed from the vendor's URDF.
REFERENCE = {
    "zero": ([0.0] * 6, [0.798761, -0.003725, 0.006392], [0.0, -1.0, 0.0]),
    "pose_1": ([0.0, 1.5707, -1.5707, 1.5707, 1.5707, 0.0], [0.482288, 0.113501, 0.432639], [-1e-4, -9e-5, -1.0]),
    "arbitrary": ([0.3, 1.1, -1.2, 0.9, 1.4, -0.5], [0.509827, 0.255637, 0.304294], [-0.60568, -0.36527, -0.70692]),
}
shares = st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6)


@pytest.fixture(scope="module")
def plant() -> Plant:
    return Plant(PROFILE)


def over_the_table(seed: int, count: int) -> np.ndarray:
    """Places (count, 3) of the tip over the part of the table where cubes lie."""
    rng = np.random.default_rng(seed)
    return WORKSPACE.shift + rng.uniform([0.17, -0.21, 0.02], [0.37, 0.0, 0.20], (count, 3))


def run_slice(joints: np.ndarray, finger: np.ndarray) -> ActionSlice:
    return ActionSlice(joints=joints, gripper=finger, period=PERIOD, execute=len(joints), context_id="")


@pytest.mark.parametrize("pose", REFERENCE)
def test_forward_kinematics_agree_with_the_urdf_but_for_the_millimetre_its_axes_are_off(pose: str) -> None:
    angles, place, out = REFERENCE[pose]
    rotation, found = forward(replace(PROFILE, tip_origin=(0.0, 0.0, 0.0)), np.array(angles))
    assert np.linalg.norm(found - place) < 6e-4
    assert rotation[:, 0] == pytest.approx(np.array(out), abs=1e-4)


def test_own_kinematics_pinocchio_and_mujoco_put_the_tip_into_the_same_place() -> None:
    model = build_model(PROFILE, 0, 0.002)
    data, dynamics = mujoco.MjData(model), ArmDynamics(PROFILE)
    joints = [model.joint(name).qposadr[0] for name in PROFILE.joint_names]
    for angles in np.random.default_rng(0).uniform(PROFILE.lower, PROFILE.upper, (50, 6)):
        rotation, place = forward(PROFILE, angles)
        data.qpos[joints] = angles
        mujoco.mj_kinematics(model, data)
        tip = data.site(PROFILE.tip_link)
        for found_rotation, found_place in (dynamics.tip_pose(angles), (tip.xmat.reshape(3, 3), tip.xpos)):
            assert found_place == pytest.approx(place, abs=1e-9)
            assert found_rotation == pytest.approx(rotation, abs=1e-9)


def test_pinocchio_and_mujoco_weigh_the_arm_alike() -> None:
    model = build_model(PROFILE, 0, 0.002)
    data, dynamics = mujoco.MjData(model), ArmDynamics(PROFILE)
    names = (*PROFILE.joint_names, PROFILE.gripper.joint, PROFILE.gripper.mirror_joint)
    rows = [model.joint(name).qposadr[0] for name in names]
    columns = [model.joint(name).dofadr[0] for name in PROFILE.joint_names]
    middle = (PROFILE.gripper.lower + PROFILE.gripper.upper) / 2
    for angles in np.random.default_rng(1).uniform(PROFILE.lower, PROFILE.upper, (10, 6)):
        data.qpos[rows] = (*angles, middle, middle)
        mujoco.mj_forward(model, data)
        assert data.qfrc_gravcomp[columns] == pytest.approx(dynamics.gravity(angles), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(shares)
def test_a_pose_the_arm_can_take_is_reached_within_the_limits(share: list[float]) -> None:
    pose = forward(PROFILE, PROFILE.lower + np.array(share) * (PROFILE.upper - PROFILE.lower))
    angles = reach(PROFILE, pose, PROFILE.start)
    assert ((angles >= PROFILE.lower) & (angles <= PROFILE.upper)).all()
    assert forward(PROFILE, angles)[1] == pytest.approx(pose[1], abs=2e-5)


@settings(deadline=None)
@given(x=st.floats(0.30, 0.65), y=st.floats(-0.3, 0.3), z=st.floats(0.0, 0.3), yaw=st.floats(-1.5, 1.5))
def test_reaching_down_puts_the_tip_where_it_was_asked_with_the_fingers_along_the_heading(
    x: float, y: float, z: float, yaw: float
) -> None:
    joints = reach_of(PROFILE).solve(np.array([x, y, z]), yaw)
    assert joints is not None
    rotation, place = forward(PROFILE, joints)
    assert place == pytest.approx([x, y, z], abs=1e-9)
    assert rotation[:, 0] == pytest.approx([0.0, 0.0, -1.0], abs=1e-9)
    assert rotation[:, 1] == pytest.approx([-np.sin(yaw), np.cos(yaw), 0.0], abs=1e-9)
    assert joints[0] - joints[5] == pytest.approx(yaw, abs=1e-9)


def test_neighbouring_places_get_neighbouring_angles_within_the_limits() -> None:
    solver = reach_of(PROFILE)
    for place in over_the_table(0, 50):
        here, there = solver.solve(place, 0.3), solver.solve(place + 0.001, 0.3)
        assert here is not None
        assert there is not None
        assert np.abs(here - there).max() < 0.02
        assert ((here >= PROFILE.lower) & (here <= PROFILE.upper)).all()


@pytest.mark.parametrize("place", [[1.2, 0.0, 0.1], [0.05, 0.05, 0.1], [0.15, 0.0, -1.2]])
def test_a_place_out_of_reach_has_no_solution(place: list[float]) -> None:
    assert reach_of(PROFILE).solve(np.array(place), 0.0) is None


def test_the_closed_form_is_chosen_by_the_arms_shape() -> None:
    assert isinstance(reach_of(load_profile("widowx_250s")), DownwardReach)
    first, *others = PROFILE.joints
    with pytest.raises(ConfigurationError, match=r"\+x"):
        reach_of(replace(PROFILE, joints=(replace(first, axis=(1.0, 0.0, 0.0)), *others)))


@pytest.mark.parametrize("pose", ["start", "safe"])
def test_the_gripper_points_straight_down_and_nothing_touches_at_start_and_safe(pose: str) -> None:
    angles = getattr(PROFILE, pose)
    assert forward(PROFILE, angles)[0][:, 0] == pytest.approx([0.0, 0.0, -1.0], abs=1e-4)
    checker = ArmCollisionChecker(PROFILE, load_surroundings("table_and_bowl_jaka"))
    assert checker.clearances(angles).min() > 0.02


def test_the_surroundings_stand_where_the_simulated_table_stands() -> None:
    (bowl,) = load_surroundings("table_and_bowl_jaka").places
    assert bowl.centre[:2] == pytest.approx(WORKSPACE.bowl_centre)


def test_straight_lines_are_followed_within_five_millimetres_and_within_the_torque_limits(plant: Plant) -> None:
    robot, solver = SimulatedRobot(plant, PROFILE), reach_of(PROFILE)
    robot.reset(SceneLayout())
    begin = forward(PROFILE, PROFILE.start)[1]
    seen: list[np.ndarray] = []
    tick = robot._tick  # looked at between two controller updates

    def look() -> object:
        ends = tick()
        sample = plant.joints()
        assert sample.effort is not None
        assert (np.abs(sample.effort[:-1]) < PROFILE.effort).all()
        seen.append(forward(PROFILE, sample.position[:-1])[1])
        return ends

    robot._tick = look  # type: ignore[assignment, method-assign]
    for goal in over_the_table(2, 8):
        steps = int(np.ceil(np.linalg.norm(goal - begin) / 0.018))
        line = [solver.solve(begin + (goal - begin) * step / steps, 0.0) for step in range(1, steps + 1)]
        seen.clear()
        assert robot.execute(run_slice(np.array(line), np.full(steps, PROFILE.gripper.upper)), StopRequest()).completed
        along = (goal - begin) / np.linalg.norm(goal - begin)
        way = np.array(seen) - begin
        assert np.linalg.norm(way - np.outer(way @ along, along), axis=1).max() < 0.005
        robot.advance(0.4)
        assert np.linalg.norm(seen[-1] - goal) < 0.005
        begin = goal
    speed = plant.joints().velocity
    assert speed is not None
    assert np.abs(speed).max() < 1e-3


def test_the_expert_puts_cubes_into_the_bowl_and_the_guard_sees_nothing_to_stop(plant: Plant) -> None:
    driver = load_driver("simulated_jaka")
    watched = WatchedRobot(PROFILE, driver, ArmDynamics(PROFILE))
    robot, task = GuardedRobot(plant, watched, load_rule_settings(driver)), find_task("cubes")
    for seed in range(3):
        robot.reset(task.sample(seed, 2))
        expert = make_expert("cubes", plant)
        for _ in range(150):
            advice = expert.advise()
            if advice.idle:
                break
            step = run_slice(advice.action[None, :-1], advice.action[-1:])
            assert robot.execute(step, StopRequest()).completed, robot.exceptions
        assert task.placed(plant) == 1
        assert robot.exceptions == []


def test_both_cameras_see_a_cube_that_the_gripper_is_over(plant: Plant) -> None:
    task = find_task("cubes")
    (cube,) = (layout := task.sample(4, 1)).cubes
    arm = reach_of(PROFILE).solve(WORKSPACE.shift + np.array([cube.x, cube.y, 0.085]), 0.0)
    plant.reset(replace(layout, arm=arm))
    with_cube = {camera: plant.render(camera, 128, 128).pixels.astype(int) for camera in ("front", "wrist")}
    plant.reset(SceneLayout(arm=arm))
    for camera, pixels in with_cube.items():
        changed = np.abs(pixels - plant.render(camera, 128, 128).pixels).max(axis=2) > 30
        assert changed.sum() > 20, camera


def test_a_turned_joint_origin_is_read_from_the_profile_and_refused_when_it_is_none(tmp_path) -> None:
    path = share_directory() / "config" / "robots" / "jaka_s5.yaml"
    content = yaml.safe_load(path.read_text())
    assert PROFILE.joints[1].origin_rpy == pytest.approx((np.pi / 2, 0.0, 0.0))
    for wrong in ([0.0, 1.0], [0.0, 0.0, float("nan")], "upright"):
        content["joints"][1]["origin_rpy"] = wrong
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
        with pytest.raises(ConfigurationError, match="origin_rpy"):
            read_profile(tmp_path / "own.yaml")


@pytest.mark.parametrize(("key", "value"), [("interpolation", -0.01), ("interpolation", 1.0), ("deadband", 0.2)])
def test_servos_that_make_no_sense_are_refused(tmp_path, key, value) -> None:
    content = yaml.safe_load((share_directory() / "config" / "robots" / "jaka_s5.yaml").read_text())
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content | {key: value}))
    with pytest.raises(ConfigurationError, match=key):
        read_profile(tmp_path / "own.yaml")
