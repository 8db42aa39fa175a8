"""The simulated robot: servos, gripper, sensors, cameras and the honesty of its physics."""

import numpy as np
import pytest

from ams_ros.errors import ConfigurationError
from ams_ros.robot.kinematics import forward
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.downward_reach import DownwardReach
from ams_ros.simulation.layout import CUBE_MASS, CubePlacement, SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.rendering import RenderingError, choose_gl

PROFILE = load_profile("widowx_250s")
RED = (0.85, 0.10, 0.10)
CUBE_PLACE = (0.27, -0.05)


@pytest.fixture
def plant(shared_plant: Plant) -> Plant:
    """At the start pose, before an empty table."""
    shared_plant.reset(SceneLayout(cubes=()))
    return shared_plant


def over_cube(friction: float) -> SceneLayout:
    """The open gripper already around a cube on the table."""
    arm = DownwardReach(PROFILE).solve(np.array([*CUBE_PLACE, 0.020]), 0.0)
    return SceneLayout(cubes=(CubePlacement(*CUBE_PLACE, 0.0, RED, friction=friction),), arm=arm)


def travel(plant: Plant, goal: np.ndarray, seconds: float) -> None:
    """Move all arm joints in a straight line to `goal` at 100 Hz."""
    begin, updates = plant.arm_command, round(seconds / 0.01)
    for update in range(1, updates + 1):
        plant.command_arm(begin + (goal - begin) * update / updates)
        plant.advance(0.01)


def grasp_and_lift(plant: Plant) -> None:
    plant.command_gripper(PROFILE.gripper.lower)
    plant.advance(0.5)
    lifted = DownwardReach(PROFILE).solve(np.array([*CUBE_PLACE, 0.15]), 0.0)
    assert lifted is not None
    travel(plant, lifted, 1.0)
    plant.advance(0.5)


def tip(plant: Plant) -> np.ndarray:
    return forward(PROFILE, plant.joints().position[:-1])[1]


def test_an_uncommanded_arm_holds_perfectly_still(plant: Plant) -> None:
    travel(plant, PROFILE.start + np.array([0.3, -0.2, 0.2, 0.1, -0.2, 0.4]), 0.5)
    plant.advance(0.4)
    before = plant.joints().position
    plant.advance(0.4)
    assert np.abs(plant.joints().position - before).max() < 1e-5


def test_jitter_within_the_deadband_leaves_the_arm_perfectly_still(plant: Plant) -> None:
    plant.advance(0.2)
    before, rng = plant.joints().position, np.random.default_rng(0)
    for _ in range(40):
        plant.command_arm(PROFILE.start + rng.uniform(-0.0099, 0.0099, 6))
        plant.advance(0.01)
    assert np.abs(plant.joints().position - before).max() < 1e-5
    assert plant.arm_command == pytest.approx(PROFILE.start)


def test_the_deadband_is_each_joints_own_and_counts_from_the_command_it_holds(plant: Plant) -> None:
    plant.command_arm(PROFILE.start + np.array([0.009, 0.011, 0.0, 0.0, 0.0, 0.0]))
    assert plant.arm_command - PROFILE.start == pytest.approx([0.0, 0.011, 0.0, 0.0, 0.0, 0.0])
    plant.command_arm(PROFILE.start + np.array([0.018, 0.018, 0.0, 0.0, 0.0, 0.0]))
    assert plant.arm_command - PROFILE.start == pytest.approx([0.018, 0.011, 0.0, 0.0, 0.0, 0.0])


def test_without_a_deadband_every_command_counts() -> None:
    plant = Plant(PROFILE, deadband=0.0)
    plant.command_arm(PROFILE.start + 0.001)
    assert plant.arm_command == pytest.approx(PROFILE.start + 0.001)


def test_a_joint_goes_no_faster_than_its_limit_and_not_beyond_its_range(plant: Plant) -> None:
    plant.command_arm(np.array([9.0, *PROFILE.start[1:]]))
    assert plant.arm_command[0] == pytest.approx(PROFILE.upper[0])
    begin, fastest = plant.joints().position[0], 0.0
    for _ in range(25):
        plant.advance(0.02)
        velocity = plant.joints().velocity
        assert velocity is not None
        fastest = max(fastest, abs(velocity[0]))
    assert fastest < 1.05 * PROFILE.velocity[0]
    assert plant.joints().position[0] - begin > 1.2


def test_efforts_stay_within_the_limits_and_show_the_weight_the_shoulder_carries(plant: Plant) -> None:
    limits = np.array([*(joint.effort for joint in PROFILE.joints), PROFILE.gripper.effort])
    plant.advance(0.2)
    still = plant.joints().effort
    assert still is not None
    assert abs(still[1]) > 0.3
    hardest = 0.0
    for goal in (1.5, -1.5):
        plant.command_arm(PROFILE.start + np.array([goal, 0.0, 0.0, 0.0, 0.0, goal]))
        plant.command_gripper(PROFILE.gripper.lower)
        for _ in range(50):
            plant.advance(0.01)
            effort = plant.joints().effort
            assert effort is not None
            assert (np.abs(effort) <= limits + 1e-9).all()
            hardest = max(hardest, abs(effort[0]))
    assert hardest > 0.5


def test_both_fingers_close_together_at_the_drives_own_speed(plant: Plant) -> None:
    plant.command_gripper(0.0)
    plant.advance(0.1)
    moved = PROFILE.gripper.upper - plant.joints().position[-1]
    assert moved == pytest.approx(0.1 * PROFILE.gripper.drive_speed, abs=0.004)
    plant.advance(0.4)
    assert plant.joints().position[-1] == pytest.approx(PROFILE.gripper.lower, abs=2e-4)


def test_time_never_runs_backwards_not_even_at_a_reset(plant: Plant) -> None:
    plant.advance(0.1)
    before = plant.time
    plant.reset(SceneLayout(cubes=(CubePlacement(*CUBE_PLACE, 0.0, RED),)))
    assert plant.time >= before
    plant.advance(0.05)
    assert plant.time == pytest.approx(before + 0.05)
    assert plant.joints().stamp == plant.time


def test_only_whole_physics_steps_can_be_run(plant: Plant) -> None:
    with pytest.raises(ValueError, match="whole number of steps"):
        plant.advance(0.003)


def test_a_grasp_holds_by_friction_through_a_shake(plant: Plant) -> None:
    plant.reset(over_cube(friction=1.0))
    grasp_and_lift(plant)
    lifted, _ = plant.cube_poses()
    assert lifted[0, 2] > 0.12
    grip = lifted[0] - tip(plant)
    held = plant.arm_command
    for _ in range(3):
        for swing in (0.15, -0.15):
            travel(plant, held + np.array([swing, 0.5 * swing, 0.0, 0.0, swing, 2 * swing]), 0.15)
    travel(plant, held, 0.2)
    plant.advance(0.3)
    assert np.abs(plant.cube_poses()[0][0] - tip(plant) - grip).max() < 0.004
    assert PROFILE.gripper.lower + 0.0015 < plant.joints().position[-1] < 0.0185


def test_a_slick_cube_slips_out_of_the_same_grasp(plant: Plant) -> None:
    plant.reset(over_cube(friction=0.02))
    grasp_and_lift(plant)
    assert plant.cube_poses()[0][0, 2] < 0.03


def test_the_wrist_feels_the_grippers_weight_downwards_and_the_cubes_on_top(plant: Plant) -> None:
    plant.advance(0.3)
    empty = plant.wrench()
    masses = sum(
        PROFILE.link(name).mass
        for name in ("gripper_link", "gripper_bar_link", "gripper_prop_link", "left_finger_link", "right_finger_link")
    )
    # The gripper points down, so its x axis is the direction of weight.
    assert empty.frame == "wrist_ft_link"
    assert empty.force == pytest.approx([9.81 * masses, 0.0, 0.0], abs=0.01)
    plant.reset(over_cube(friction=1.0))
    grasp_and_lift(plant)
    assert plant.wrench().force[0] - empty.force[0] == pytest.approx(9.81 * CUBE_MASS, abs=0.03)


def test_the_wrist_feels_a_push_against_the_table(plant: Plant) -> None:
    plant.advance(0.2)
    resting = plant.wrench().force[0]
    touch = DownwardReach(PROFILE).solve(np.array([0.3, -0.1, 0.000]), 0.0)
    assert touch is not None
    travel(plant, touch, 1.5)
    plant.advance(0.3)
    assert plant.wrench().force[0] < resting - 2.0
    assert tip(plant)[2] > 0.005


def test_cameras_deliver_pictures_of_the_size_asked_for(plant: Plant) -> None:
    for camera in plant.cameras:
        image = plant.render(camera, 96, 64)
        assert image.pixels.shape == (64, 96, 3)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.std() > 10.0
        assert (image.camera, image.stamp) == (camera, plant.time)


def test_the_camera_matrix_says_where_in_the_front_picture_a_cube_appears(plant: Plant) -> None:
    plant.reset(SceneLayout(cubes=(CubePlacement(0.30, -0.12, 0.0, RED),)))
    pixels = plant.render("front", 256, 256).pixels.astype(int)
    red = (pixels[..., 0] > 100) & (pixels[..., 1] < 60) & (pixels[..., 2] < 60)
    assert red.sum() > 40
    row, column = np.argwhere(red).mean(axis=0)
    camera = plant._data.camera("front")
    seen = camera.xmat.reshape(3, 3).T @ (np.array([0.30, -0.12, 0.018]) - camera.xpos)
    # MuJoCo's cameras look along -z with y up; the matrix is for z forward and y down.
    x, y, depth = plant.camera_matrix("front", 256, 256) @ (seen * (1, -1, -1))
    assert (column, row) == pytest.approx((x / depth, y / depth), abs=2.5)


def test_unknown_cameras_and_bad_settings_are_refused(plant: Plant) -> None:
    with pytest.raises(ConfigurationError, match="camera: got 'back', allowed: front, wrist, overview"):
        plant.render("back", 64, 64)
    with pytest.raises(ConfigurationError, match="camera size"):
        plant.camera_matrix("front", 4, 64)
    with pytest.raises(ConfigurationError, match="deadband"):
        Plant(PROFILE, deadband=-0.1)
    with pytest.raises(ConfigurationError, match="timestep"):
        Plant(PROFILE, timestep=0.1)
    with pytest.raises(ConfigurationError, match=r"timestep: got 0\.003"):
        Plant(PROFILE, timestep=0.003)


def test_a_machine_without_opengl_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(RenderingError, match="apt-get install libegl1"):
        choose_gl()
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    with pytest.raises(ConfigurationError, match="MUJOCO_GL: got 'glfw', allowed: egl, osmesa"):
        choose_gl()
