"""Timing of recovery motions (E6): within limits, straight between waypoints, exactly at the goal."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.errors import PlanningError
from ams_ros.recovery.timing import time_path
from ams_ros.robot.profile import load_profile

PROFILE = load_profile("widowx_250s")
SLACK = 1e-6


@st.composite
def paths(draw):
    shares = draw(st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), min_size=1, max_size=5))
    return PROFILE.lower + np.array(shares) * (PROFILE.upper - PROFILE.lower)


@settings(deadline=None)
@given(path=paths(), scale=st.floats(0.15, 1.0), period=st.sampled_from([0.01, 0.02, 0.05]))
def test_a_timed_path_keeps_every_limit_and_ends_exactly_at_its_goal_e6(path, scale, period):
    motion = time_path(path, PROFILE, scale, period)
    assert (motion.joints[-1] == path[-1]).all()
    assert motion.joints.shape[1] == 6
    assert ((motion.joints >= PROFILE.lower - SLACK) & (motion.joints <= PROFILE.upper + SLACK)).all()
    # The arm stands before the first row and after the last one.
    rows = np.vstack([path[:1], path[:1], motion.joints, motion.joints[-1:]])
    speed = np.diff(rows, axis=0) / period
    assert (np.abs(speed) <= scale * PROFILE.velocity + SLACK).all()
    acceleration = np.diff(speed, axis=0) / period
    assert (np.abs(acceleration) <= scale * PROFILE.acceleration + SLACK / period).all()


@settings(deadline=None)
@given(path=paths())
def test_between_waypoints_the_way_is_straight_and_no_corner_is_cut(path):
    motion = time_path(path, PROFILE, 0.5)
    row = 0
    for begin, end in itertools.pairwise(path):
        length = np.linalg.norm(end - begin)
        if length < 1e-6:
            continue
        while True:
            along = (motion.joints[row] - begin) @ (end - begin) / length**2
            assert np.abs(begin + along * (end - begin) - motion.joints[row]).max() < 1e-9
            row += 1
            if (motion.joints[row - 1] == end).all():
                break


def test_a_path_that_goes_nowhere_is_one_row_at_the_goal():
    motion = time_path(np.array([PROFILE.start, PROFILE.start]), PROFILE, 0.5)
    assert motion.joints.tolist() == [PROFILE.start.tolist()]
    assert motion.seconds == pytest.approx(0.02)


def test_an_arm_pushed_past_a_limit_can_come_back():
    outside = PROFILE.upper + 0.05
    assert (time_path(np.array([outside, PROFILE.start]), PROFILE, 0.5).joints[-1] == PROFILE.start).all()


@pytest.mark.parametrize(
    ("waypoints", "scale", "period", "reason"),
    [
        (np.zeros((0, 6)), 0.5, 0.02, "at least one row of 6 angles"),
        (np.zeros((2, 5)), 0.5, 0.02, "at least one row of 6 angles"),
        (np.zeros(6), 0.5, 0.02, "at least one row of 6 angles"),
        (np.full((2, 6), np.nan), 0.5, 0.02, "not a finite number"),
        (np.full((2, 6), np.inf), 0.5, 0.02, "not a finite number"),
        (np.array([np.zeros(6), np.full(6, 1.9)]), 0.5, 0.02, "elbow at 1.9000 rad, its limits are"),
        (np.zeros((2, 6)), 0.0, 0.02, "scale 0"),
        (np.zeros((2, 6)), 1.1, 0.02, "scale 1.1"),
        (np.zeros((2, 6)), np.nan, 0.02, "scale nan"),
        (np.zeros((2, 6)), 0.5, 0.0, "period 0"),
        (np.array([np.zeros(6), np.ones(6)]), 1e-5, 0.02, "cannot be timed at scale 1e-05"),
        (np.array([np.zeros(6), np.ones(6)]), 1e-3, 0.02, "would take"),
    ],
)
def test_what_cannot_be_timed_is_refused_with_the_reason(waypoints, scale, period, reason):
    with pytest.raises(PlanningError, match=reason):
        time_path(waypoints, PROFILE, scale, period)
