"""Dynamics from the profile against MuJoCo's, against the closed-form kinematics, and against themselves."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.kinematics import forward
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.scene import build_model

PROFILE = load_profile("widowx_250s")
DYNAMICS = ArmDynamics(PROFILE)
MODEL: Any = build_model(PROFILE, 0, 0.002)
DATA: Any = mujoco.MjData(MODEL)
ARM = [MODEL.joint(name).dofadr[0] for name in PROFILE.joint_names]
MOVING = [MODEL.body(name).id for name in (*(joint.child for joint in PROFILE.joints), "gripper_prop_link",
          "gripper_bar_link", "left_finger_link", "right_finger_link")]  # fmt: skip

postures = st.tuples(*(st.floats(joint.lower, joint.upper) for joint in PROFILE.joints)).map(np.array)
speeds = st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6).map(np.array)
few = settings(max_examples=40, deadline=None)


def pose_mujoco(position: np.ndarray, velocity: np.ndarray) -> None:
    finger = (PROFILE.gripper.lower + PROFILE.gripper.upper) / 2
    mujoco.mj_resetData(MODEL, DATA)
    for name, value in (*zip(PROFILE.joint_names, position, strict=True), ("left_finger", finger)):
        DATA.joint(name).qpos[0] = value
    DATA.joint("right_finger").qpos[0] = finger
    DATA.qvel[ARM] = velocity
    mujoco.mj_forward(MODEL, DATA)


@few
@given(position=postures, velocity=speeds)
def test_inertia_weight_and_velocity_forces_are_those_of_the_simulated_arm(position, velocity):
    pose_mujoco(position, velocity)
    full = np.zeros((MODEL.nv, MODEL.nv))
    mujoco.mj_fullM(MODEL, DATA, full)
    assert DYNAMICS.mass_matrix(position) == pytest.approx(full[np.ix_(ARM, ARM)], abs=1e-12)
    assert DYNAMICS.nonlinear(position, velocity) == pytest.approx(DATA.qfrc_bias[ARM], abs=1e-10)
    assert DYNAMICS.gravity(position) == pytest.approx(DATA.qfrc_gravcomp[ARM], abs=1e-10)


@few
@given(position=postures, velocity=speeds)
def test_angular_momentum_is_the_sum_over_the_simulated_links(position, velocity):
    pose_mujoco(position, velocity)
    total, mass = np.zeros((2, 3)), 0.0
    about_base, place = np.zeros(3), np.zeros(3)
    for body in MOVING:
        speed = np.zeros(6)
        mujoco.mj_objectVelocity(MODEL, DATA, mujoco.mjtObj.mjOBJ_BODY, body, speed, 0)
        turn = DATA.ximat[body].reshape(3, 3)
        com = DATA.xipos[body]
        linear = MODEL.body_mass[body] * speed[3:]
        about_base += turn @ np.diag(MODEL.body_inertia[body]) @ turn.T @ speed[:3] + np.cross(com, linear)
        total[0] += linear
        place, mass = place + MODEL.body_mass[body] * com, mass + MODEL.body_mass[body]
    about_com, found = DYNAMICS.angular_momentum(position, velocity)
    assert found == pytest.approx(about_base, abs=1e-9)
    assert about_com == pytest.approx(about_base - np.cross(place / mass, total[0]), abs=1e-9)


@few
@given(position=postures)
def test_the_tip_is_where_the_closed_form_puts_it(position):
    rotation, place = DYNAMICS.tip_pose(position)
    expected_rotation, expected_place = forward(PROFILE, position)
    assert rotation == pytest.approx(expected_rotation, abs=1e-12)
    assert place == pytest.approx(expected_place, abs=1e-12)


@few
@given(position=postures, velocity=speeds)
def test_the_jacobian_gives_the_tips_velocity(position, velocity):
    step = 1e-6
    (before, here), (after, there) = (forward(PROFILE, position + sign * step * velocity) for sign in (-0.5, 0.5))
    spin = (after - before) @ before.T / step
    twist = DYNAMICS.jacobian(position) @ velocity
    assert twist[:3] == pytest.approx((there - here) / step, abs=1e-5)
    assert twist[3:] == pytest.approx([spin[2, 1], spin[0, 2], spin[1, 0]], abs=1e-4)


@few
@given(position=postures, velocity=speeds)
def test_momentum_changes_by_what_motors_and_drift_add(position, velocity):
    """With the arm coasting, tau = C v + g, and the momentum M(q) v changes as M does along the motion."""
    step = 1e-6
    ahead = DYNAMICS.mass_matrix(position + 0.5 * step * velocity) @ velocity
    behind = DYNAMICS.mass_matrix(position - 0.5 * step * velocity) @ velocity
    motors = DYNAMICS.nonlinear(position, velocity).copy()
    momentum, drift = DYNAMICS.momentum(position, velocity)
    assert momentum == pytest.approx(DYNAMICS.mass_matrix(position) @ velocity, abs=1e-12)
    assert motors + drift == pytest.approx((ahead - behind) / step, abs=1e-6)


@few
@given(position=postures, force=st.tuples(*[st.floats(-50.0, 50.0)] * 3).map(np.array))
def test_a_force_at_the_tip_turns_the_joints_as_the_jacobian_says(position, force):
    rotation, _ = DYNAMICS.tip_pose(position)
    local = rotation.T @ force
    wrench = np.concatenate((local, np.cross(PROFILE.tip_origin, local)))
    expected = DYNAMICS.jacobian(position)[:3].T @ force
    assert DYNAMICS.wrist_torque(position, wrench) == pytest.approx(expected, abs=1e-9)


def test_the_tools_weight_is_what_the_wrist_sensor_of_a_resting_arm_shows():
    plant = Plant(PROFILE)
    for turn in ([0.0] * 6, [0.4, -0.3, 0.2, 0.8, -1.0, 1.5], [-1.0, 0.2, -0.6, -1.2, 0.5, -2.0]):
        plant.reset(SceneLayout(cubes=(), arm=PROFILE.start + np.array(turn), finger=0.026, settle=1.0))
        force, torque = DYNAMICS.tool_weight(plant.joints().position[:-1])
        assert force == pytest.approx(plant.wrench().force, abs=0.01)
        assert torque == pytest.approx(plant.wrench().torque, abs=0.001)
    plant.close()


def test_rotors_come_from_the_profile_unless_others_are_given():
    inertia = DYNAMICS.mass_matrix(PROFILE.start).copy()
    bare = ArmDynamics(PROFILE, [0.0] * 6).mass_matrix(PROFILE.start)
    assert inertia - bare == pytest.approx(np.diag([joint.armature for joint in PROFILE.joints]))


@pytest.mark.parametrize("armature", [[0.1], [0.1] * 5 + [-0.1], [0.1] * 5 + [float("nan")]])
def test_rotors_that_cannot_be_are_refused(armature):
    with pytest.raises(ConfigurationError, match="armature"):
        ArmDynamics(PROFILE, armature)


def test_a_link_that_hangs_on_nothing_is_refused():
    loose = replace(PROFILE.links[-1], name="loose_link")
    with pytest.raises(ConfigurationError, match=r"loose_link\.fixed_to"):
        ArmDynamics(replace(PROFILE, links=(*PROFILE.links, loose)))


@pytest.mark.parametrize("order", [("rclpy", "pinocchio"), ("pinocchio", "rclpy")])
def test_errors_of_the_library_stay_errors_beside_rclpy(order):
    pytest.importorskip("rclpy")
    code = (
        f"import {order[0]}, {order[1]}, numpy\n"
        "from ams_ros.robot.dynamics import ArmDynamics\n"
        "from ams_ros.robot.profile import load_profile\n"
        "try:\n    ArmDynamics(load_profile('widowx_250s')).mass_matrix(numpy.zeros(3))\n"
        "except ValueError:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
