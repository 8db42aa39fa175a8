"""Sub-slices: 2 to 5 steps, the larger the motion the shorter (spec row E3)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.exception.sub_slices import cut_into_sub_slices

DOF = 6


def steady(steps, motion):
    """Rows that move every joint by `motion` rad in each step, from zero."""
    return np.arange(1, steps + 1)[:, None] * np.full(DOF, motion)


def lengths(ends):
    return [b - a for a, b in pairwise((0, *ends))]


def test_large_motion_makes_sub_slices_of_two_steps_and_small_motion_of_five_e3():
    assert lengths(cut_into_sub_slices(steady(20, 0.2), np.zeros(DOF), 0.05)) == [2] * 10
    assert lengths(cut_into_sub_slices(steady(20, 0.001), np.zeros(DOF), 0.05)) == [5] * 4


def test_more_motion_never_makes_sub_slices_longer_e3():
    counts = [len(cut_into_sub_slices(steady(60, motion), np.zeros(DOF), 0.05)) for motion in np.linspace(0, 0.2, 40)]
    assert counts == sorted(counts)


def test_the_motion_of_the_first_step_counts_from_the_pose_at_the_begin():
    joints = np.zeros((4, DOF))
    assert lengths(cut_into_sub_slices(joints, np.full(DOF, 0.5), 0.05)) == [2, 2]
    assert lengths(cut_into_sub_slices(joints, np.zeros(DOF), 0.05)) == [4]


def test_slow_steps_are_looked_at_in_time_however_little_they_move():
    assert lengths(cut_into_sub_slices(steady(12, 0.001), np.zeros(DOF), 0.25)) == [2] * 6


def test_a_plan_of_one_step_is_one_sub_slice():
    assert cut_into_sub_slices(np.zeros((1, DOF)), np.zeros(DOF), 0.05) == (1,)


def test_a_last_single_step_is_joined_to_the_steps_before_it_or_given_one_of_them():
    assert lengths(cut_into_sub_slices(steady(5, 0.2), np.zeros(DOF), 0.05)) == [2, 3]
    assert lengths(cut_into_sub_slices(steady(6, 0.001), np.zeros(DOF), 0.05)) == [4, 2]


@given(
    st.lists(st.floats(0.0, 0.5), min_size=1, max_size=60),
    st.floats(0.001, 2.0),
)
def test_every_step_lies_in_one_sub_slice_of_two_to_five_steps_e3(motion, period):
    joints = np.cumsum(motion)[:, None] * np.ones(DOF)
    ends = cut_into_sub_slices(joints, np.zeros(DOF), period)
    assert ends[-1] == len(motion)
    assert all(2 <= length <= 5 for length in lengths(ends)) or len(motion) == 1
