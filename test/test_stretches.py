"""A slice is cut exactly where the gripper is told something new."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.robot.stretches import GRIPPER_STEP, cut_into_stretches
from ams_ros.types import ActionSlice

OPEN, CLOSED = 0.037, 0.015


def a_slice(*gripper: float) -> ActionSlice:
    joints = np.arange(len(gripper) * 6, dtype=float).reshape(-1, 6)
    return ActionSlice(joints, np.array(gripper), 0.05, len(gripper), "c")


def test_a_slice_that_leaves_the_gripper_alone_is_one_stretch_without_a_command():
    (stretch,) = cut_into_stretches(a_slice(OPEN, OPEN, OPEN), OPEN)
    assert stretch.gripper is None
    assert stretch.steps == 3


def test_the_gripper_is_commanded_before_the_step_whose_target_differs():
    first, second = cut_into_stretches(a_slice(OPEN, OPEN, CLOSED, CLOSED, CLOSED), OPEN)
    assert (first.steps, first.gripper) == (2, None)
    assert (second.steps, second.gripper) == (3, CLOSED)


def test_without_an_earlier_command_the_first_target_is_commanded():
    (stretch,) = cut_into_stretches(a_slice(OPEN, OPEN), None)
    assert stretch.gripper == OPEN


def test_a_change_in_the_first_step_makes_no_empty_stretch():
    (stretch,) = cut_into_stretches(a_slice(CLOSED, CLOSED), OPEN)
    assert (stretch.steps, stretch.gripper) == (2, CLOSED)


def test_small_changes_count_from_the_last_command_so_that_a_slow_drift_is_not_lost():
    drift = [OPEN - 0.0002 * k for k in range(1, 6)]
    first, second = cut_into_stretches(a_slice(*drift), OPEN)
    assert (first.steps, first.gripper) == (2, None)
    assert second.gripper == drift[2]


@given(st.lists(st.floats(CLOSED, OPEN), min_size=1, max_size=16), st.none() | st.floats(CLOSED, OPEN))
def test_stretches_hold_every_step_once_and_the_gripper_is_never_further_off_than_the_threshold(gripper, commanded):
    action_slice = a_slice(*gripper)
    stretches = cut_into_stretches(action_slice, commanded)
    assert np.array_equal(np.concatenate([stretch.joints for stretch in stretches]), action_slice.joints)
    step = 0
    for stretch in stretches:
        commanded = commanded if stretch.gripper is None else stretch.gripper
        for target in gripper[step : step + stretch.steps]:
            assert abs(target - commanded) <= GRIPPER_STEP
        step += stretch.steps
