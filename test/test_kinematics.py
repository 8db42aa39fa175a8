"""Kinematics against poses computed from the WidowX's published URDF, and the closed-form inverse against both."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.robot.kinematics import forward
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.downward_reach import DownwardReach

PROFILE = load_profile("widowx_250s")

# Joint angles (rad), place of ee_gripper_link (m), rotation row by row.
REFERENCE = {
    "home": ([0.0] * 6, [0.458325, 0.0, 0.36065], np.eye(3)),
    "sleep": (
        [0.0, -1.8, 1.55, 0.0, 0.8, 0.0],
        [0.122652, 0.0, 0.081264],
        [[0.85252, 0.0, 0.52269], [0.0, 1.0, 0.0], [-0.52269, 0.0, 0.85252]],
    ),
    "upright": (
        [0.0, 0.0, -1.5708, 0.0, 0.0, 0.0],
        [0.049748, 0.0, 0.769225],
        [[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
    ),
    "every joint turned": (
        [-0.01840777, 0.0398835, 0.22242722, -0.00460194, 1.36524296, 0.00153398],
        [0.292069, -0.006091, 0.135321],
        [[-0.0568, 0.01874, 0.99821], [-0.00346, 0.99981, -0.01897], [-0.99838, -0.00453, -0.05672]],
    ),
}


@pytest.mark.parametrize("pose", REFERENCE)
def test_forward_kinematics_agree_with_the_urdf(pose: str) -> None:
    angles, place, rotation = REFERENCE[pose]
    found_rotation, found_place = forward(PROFILE, np.array(angles))
    assert found_place == pytest.approx(np.array(place), abs=2e-6)
    assert found_rotation == pytest.approx(np.array(rotation), abs=1e-5)


def test_the_start_pose_points_the_gripper_straight_down() -> None:
    rotation, place = forward(PROFILE, PROFILE.start)
    assert rotation[:, 0] == pytest.approx([0.0, 0.0, -1.0], abs=1e-4)
    assert place == pytest.approx([0.22, 0.0, 0.20], abs=1e-3)


@given(
    x=st.floats(0.15, 0.38), y=st.floats(-0.25, 0.25), z=st.floats(0.01, 0.16), yaw=st.floats(-1.5, 1.5)
)  # fmt: skip
def test_reaching_down_puts_the_tip_where_it_was_asked_with_the_fingers_along_the_heading(
    x: float, y: float, z: float, yaw: float
) -> None:
    joints = DownwardReach(PROFILE).solve(np.array([x, y, z]), yaw)
    assert joints is not None
    rotation, place = forward(PROFILE, joints)
    assert place == pytest.approx([x, y, z], abs=1e-9)
    assert rotation[:, 0] == pytest.approx([0.0, 0.0, -1.0], abs=1e-9)
    assert rotation[:, 1] == pytest.approx([-np.sin(yaw), np.cos(yaw), 0.0], abs=1e-9)


def test_a_place_beyond_the_arms_length_has_no_solution() -> None:
    assert DownwardReach(PROFILE).solve(np.array([0.8, 0.0, 0.1]), 0.0) is None
