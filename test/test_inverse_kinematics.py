"""Inverse kinematics: the tip comes where it was wanted, within the limits, or the arm says how far off it stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ams_ros.errors import PlanningError
from ams_ros.robot.inverse_kinematics import reach
from ams_ros.robot.kinematics import forward
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.downward_reach import DownwardReach

PROFILE = load_profile("widowx_250s")
DOWN = forward(PROFILE, PROFILE.start)[0]
shares = st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6)


@settings(max_examples=30, deadline=None)
@given(shares)
@example([0.875, 0.875, 1.0, 0.0, 0.5, 0.0])
@example([1.0, 1.0, 1.0, 0.875, 0.5, 0.875])
def test_a_pose_the_arm_can_take_is_reached_within_the_limits(share: list[float]) -> None:
    pose = forward(PROFILE, PROFILE.lower + np.array(share) * (PROFILE.upper - PROFILE.lower))
    angles = reach(PROFILE, pose, PROFILE.start)
    assert ((angles >= PROFILE.lower) & (angles <= PROFILE.upper)).all()
    rotation, place = forward(PROFILE, angles)
    assert place == pytest.approx(pose[1], abs=2e-5)
    assert rotation == pytest.approx(pose[0], abs=2e-4)


def test_from_nearby_the_nearby_posture_is_found() -> None:
    for x, y, yaw in [(0.25, -0.1, 0.0), (0.3, 0.1, 0.6), (0.2, 0.15, -0.4)]:
        wanted = DownwardReach(PROFILE).solve(np.array([x, y, 0.08]), yaw)
        assert wanted is not None
        assert reach(PROFILE, forward(PROFILE, wanted), wanted + 0.1) == pytest.approx(wanted, abs=1e-3)


def test_the_same_question_gets_the_same_answer() -> None:
    pose = forward(PROFILE, np.array([1.5, 0.7, -0.9, 2.0, 1.0, -2.0]))
    assert np.array_equal(reach(PROFILE, pose, PROFILE.safe), reach(PROFILE, pose, PROFILE.safe))


def test_a_place_out_of_reach_is_refused_with_how_far_off_the_arm_stays() -> None:
    with pytest.raises(PlanningError, match=r"cannot bring its tip to \[0\.9, 0\.0, 0\.1\] m .* it stays 0\.2\d+ m"):
        reach(PROFILE, (DOWN, np.array([0.9, 0.0, 0.1])), PROFILE.start)


def test_a_pose_only_reached_beyond_a_limit_is_refused() -> None:
    waist = replace(PROFILE.joints[0], lower=-0.3, upper=0.3)
    narrow = replace(PROFILE, joints=(waist, *PROFILE.joints[1:]))
    pose = forward(PROFILE, PROFILE.start + np.array([0.8, 0.0, 0.0, 0.0, 0.0, 0.0]))
    assert reach(PROFILE, pose, PROFILE.start)[0] == pytest.approx(0.8, abs=1e-3)
    with pytest.raises(PlanningError, match="rad off"):
        reach(narrow, pose, PROFILE.start)


@pytest.mark.parametrize(
    ("pose", "seed"),
    [
        ((np.full((3, 3), np.nan), np.zeros(3)), np.zeros(6)),
        ((np.eye(3), np.array([np.inf, 0.0, 0.0])), np.zeros(6)),
        ((np.eye(3), np.zeros(3)), np.zeros(5)),
        ((np.eye(3), np.zeros(2)), np.zeros(6)),
        ((2.0 * np.eye(3), np.zeros(3)), np.zeros(6)),
        ((np.diag([1.0, 1.0, -1.0]), np.zeros(3)), np.zeros(6)),
    ],
)
def test_what_is_no_pose_is_refused(pose: tuple[np.ndarray, np.ndarray], seed: np.ndarray) -> None:
    with pytest.raises(PlanningError, match=r"pose|rotation"):
        reach(PROFILE, pose, seed)
