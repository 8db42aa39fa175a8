"""The replay signal: when nothing happens any more (spec R1), and what becomes of a policy's stop flag (R2)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.replay.signal import ReplaySignal, SignalSettings
from ams_ros.types import ActionSlice, JointSample

DEADBAND, OPEN, CLOSED, HELD = 0.01, 0.037, 0.015, 0.018
NAMES = ("a", "b", "c", "finger")


def sample(*arm, finger=OPEN, velocity=None, stamp=1.0):
    position = np.array([*(arm or (0.1, -0.2, 0.3)), finger])
    return JointSample(stamp, NAMES, position, None if velocity is None else np.array(velocity))


def going(ahead=0.0, finger=OPEN, horizon=8, execute=8, stop=False):
    joints = np.tile([0.1, -0.2, 0.3], (horizon, 1))
    joints[:, 1] += np.linspace(0.0, ahead, horizon)
    return ActionSlice(joints, np.full(horizon, finger), 0.05, execute, "c", stop)


def signal(deadband=DEADBAND, **settings):
    return ReplaySignal(SignalSettings(**settings), deadband)


def test_a_policy_frozen_from_its_first_slice_is_told_by_two_slices_none_of_which_is_executed():
    """R1: every action of the slice is marked complete before it began."""
    watch = signal()
    assert watch.predicts_nothing(going(), sample(), None)
    assert not watch.confirmed
    assert watch.predicts_nothing(going(0.005), sample(), None)
    assert watch.confirmed


def test_a_slice_that_moves_between_two_that_do_not_starts_the_count_again():
    watch = signal()
    assert watch.predicts_nothing(going(), sample(), None)
    assert not watch.predicts_nothing(going(0.2), sample(), None)
    assert watch.predicts_nothing(going(), sample(), None)
    assert not watch.confirmed


@pytest.mark.parametrize(("ahead", "nothing"), [(0.0099, True), (0.01, True), (0.0101, False)])
def test_the_paper_s_own_threshold_works_on_a_servo_with_a_deadband(ahead, nothing):
    assert signal().predicts_nothing(going(ahead), sample(), None) is nothing
    assert signal(deadband=0.0).predicts_nothing(going(ahead), sample(), None) is False
    assert signal(deadband=0.0, arm=0.01001).predicts_nothing(going(ahead), sample(), None) is nothing


def test_only_steps_that_are_to_be_executed_count():
    late = going(0.1)
    assert signal().predicts_nothing(ActionSlice(late.joints, late.gripper, 0.05, 1, "c"), sample(), None)


def test_fingers_that_hold_something_are_complete_where_they_were_told_to_go():
    held = sample(finger=HELD + 0.002)
    assert signal().predicts_nothing(going(finger=CLOSED), held, CLOSED)
    assert not signal().predicts_nothing(going(finger=CLOSED), held, None)
    assert not signal().predicts_nothing(going(finger=OPEN), held, CLOSED)
    assert signal().predicts_nothing(going(finger=HELD + 0.0025), held, math.nan)


def test_while_fingers_still_close_the_arm_may_wait_for_them():
    closing = sample(finger=0.03, velocity=[0.0, 0.0, 0.0, -0.12])
    assert not signal().predicts_nothing(going(finger=CLOSED), closing, CLOSED)
    still = sample(finger=0.03, velocity=[0.001, 0.0, math.nan, 0.0])
    assert signal().predicts_nothing(going(finger=CLOSED), still, CLOSED)


def test_a_stop_flag_is_held_back_until_the_next_slice_agrees():
    """R2."""
    watch = signal()
    assert watch.predicts_nothing(going(0.3, stop=True), sample(), None)
    assert not watch.confirmed
    assert not watch.predicts_nothing(going(0.3), sample(), None)
    assert watch.predicts_nothing(going(0.3, stop=True), sample(), None)
    assert watch.predicts_nothing(going(0.0), sample(), None)
    assert watch.confirmed


def test_an_executed_slice_over_which_nothing_moved_raises_the_signal_by_thresholds_of_each_component():
    """R1: arm in radians, gripper in metres."""
    watch = signal()
    assert watch.observe(sample(), sample(0.1 + 0.9e-5, -0.2, 0.3, finger=OPEN - 0.0009))
    assert not watch.observe(sample(), sample(0.1 + 1.1e-5, -0.2, 0.3))
    assert not watch.observe(sample(), sample(finger=OPEN - 0.0011))


def test_several_still_slices_in_a_row_may_be_asked_for_and_a_fresh_start_forgets_them():
    watch = signal(slices=2)
    assert not watch.observe(sample(), sample())
    watch.begin_anew()
    assert not watch.observe(sample(), sample())
    assert watch.observe(sample(), sample())


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"arm": 0.0}, "replay.arm"),
        ({"arm": math.nan}, "replay.arm"),
        ({"arm": 1.0}, "replay.arm"),
        ({"gripper": -1.0}, "replay.gripper"),
        ({"gripper": 1.0}, "replay.gripper"),
        ({"slices": 0}, "replay.slices"),
        ({"confirm": 0}, "replay.confirm"),
    ],
)
def test_thresholds_that_never_or_always_fire_are_refused_by_their_key(settings, key):
    with pytest.raises(ConfigurationError, match=key):
        SignalSettings(**settings)


def test_a_deadband_that_is_no_number_is_refused():
    for deadband in (-0.1, math.nan, math.inf):
        with pytest.raises(ConfigurationError, match="deadband"):
            signal(deadband=deadband)


def test_joints_that_are_no_numbers_are_told_by_name_instead_of_looking_still():
    broken = sample(0.1, math.nan, 0.3)
    with pytest.raises(RobotError, match="no number for b"):
        signal().predicts_nothing(going(), broken, None)
    with pytest.raises(RobotError, match="no number for b"):
        signal().observe(sample(), broken)


def test_arrays_that_do_not_fit_each_other_are_told():
    other = JointSample(1.0, NAMES[1:], np.zeros(3))
    with pytest.raises(RobotError, match="3 joints met"):
        signal().predicts_nothing(going(), other, None)
    with pytest.raises(RobotError, match="3 and 2 arm joints"):
        signal().observe(sample(), other)
    with pytest.raises(RobotError, match="2 speeds"):
        signal().predicts_nothing(going(), sample(velocity=[0.0, 0.0]), None)


@given(st.floats(-0.3, 0.3), st.floats(CLOSED, OPEN), st.floats(CLOSED, OPEN))
def test_what_predicts_nothing_keeps_every_target_within_the_servo_s_deadband(ahead, finger, target):
    if signal().predicts_nothing(going(ahead, finger=target), sample(finger=finger), None):
        assert abs(ahead) <= DEADBAND + 1.01e-5
        assert abs(finger - target) <= 0.001 + 1e-12
