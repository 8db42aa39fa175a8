"""What arrives is either taken as it is or refused with the reason; nothing crashes and nothing slips through."""

from __future__ import annotations

import math
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_arm import NAMES, PERIOD, PROFILE, message, one_joint, watched

from ams_ros.exception.refusal import REPEATED, Refusal
from ams_ros.exception.sample_intake import NEW_CLOCK, SampleIntake
from ams_ros.exception.state import RobotState

DOF = len(PROFILE.joints)
STILL = np.zeros(DOF)


def make(**driver):
    state = RobotState(DOF)
    return state, SampleIntake(watched(**driver), state)


def values(*numbers):
    return array("d", numbers)


def test_a_sample_lands_in_the_profiles_order_whatever_order_and_company_it_came_in():
    state, intake = make()
    names = ["wheel", *reversed(NAMES), "lamp"]
    numbers = {name: 0.1 * place for place, name in enumerate(names)}
    numbers |= {"wheel": math.nan, "lamp": math.inf}
    fields = array("d", [numbers[name] for name in names])
    assert intake.joints(names, fields, fields, fields, 1.0, 5.0) is None
    expected = [numbers[name] for name in PROFILE.joint_names]
    assert state.position.tolist() == state.velocity.tolist() == state.effort.tolist() == expected
    assert (state.gripper, state.gripper_effort) == (numbers[NAMES[-1]], numbers[NAMES[-1]])
    assert (state.stamp, state.joints_arrival, state.joint_samples) == (1.0, 5.0, 1)


@pytest.mark.parametrize("form", [list, tuple, np.array, lambda numbers: np.array(numbers, dtype=np.float32)])
def test_numbers_may_come_in_any_sequence(form):
    state, intake = make()
    _, position, velocity, effort = message(PROFILE.start, STILL)
    assert intake.joints(tuple(NAMES), form(list(position)), form(list(velocity)), form(list(effort)), 1.0, 1.0) is None
    np.testing.assert_allclose(state.position, PROFILE.start, atol=1e-6)


def test_a_new_order_of_names_is_noticed_at_once():
    state, intake = make()
    names, position, velocity, effort = message(PROFILE.start, STILL)
    intake.joints(names, position, velocity, effort, 1.0, 1.0)
    names[0], names[1], position[0], position[1] = names[1], names[0], position[1], position[0]
    assert intake.joints(names, position, velocity, effort, 1.1, 1.1) is None
    np.testing.assert_array_equal(state.position, PROFILE.start)


def test_velocity_and_acceleration_of_an_arm_that_measures_neither_approach_the_true_ones():
    state, intake = make(velocity=False)
    for step in range(200):
        now = step * PERIOD
        position = message(one_joint(1, 0.5 * 2.0 * now**2), STILL)[1]
        assert intake.joints(NAMES, position, (), message(STILL, STILL)[3], now, now) is None
    assert state.velocity[1] == pytest.approx(2.0 * now, abs=0.1)
    assert state.acceleration[1] == pytest.approx(2.0, rel=0.05)
    assert state.velocity[0] == state.acceleration[0] == 0.0


def test_the_gripper_is_not_asked_for_where_the_driver_does_not_deliver_it():
    state, intake = make(gripper_measured=False, velocity=False, effort=False)
    assert intake.joints(list(PROFILE.joint_names), array("d", PROFILE.start), (), (), 1.0, 1.0) is None
    assert math.isnan(state.gripper)


def test_the_same_stamp_again_is_no_new_sample():
    state, intake = make()
    intake.joints(*message(PROFILE.start, STILL), 1.0, 1.0)
    assert intake.joints(*message(PROFILE.start, STILL), 1.0, 2.0) is REPEATED
    assert (state.joints_arrival, state.joint_samples) == (1.0, 1)


def test_a_clock_set_back_for_good_is_taken_over_after_a_few_samples_and_one_overtaken_sample_is_not():
    state, intake = make()
    for stamp in (100.0, 100.1):
        assert intake.joints(*message(PROFILE.start, STILL), stamp, 0.0) is None
    refusal = intake.joints(*message(PROFILE.start, STILL), 100.05, 0.0)
    assert refusal.backwards == pytest.approx(0.05)
    assert intake.joints(*message(PROFILE.start, STILL), 100.2, 0.0) is None
    for step in range(NEW_CLOCK):
        assert intake.joints(*message(PROFILE.start, STILL), 5.0 + step * PERIOD, 0.0).backwards > 95.0
    assert intake.joints(*message(PROFILE.start, STILL), 6.0, 0.0) is None
    assert (state.stamp, state.period) == (6.0, 0.0)
    assert not state.velocity.any()


def test_a_wrench_is_taken_as_measured_and_its_frame_must_not_change():
    state, intake = make()
    assert intake.wrench("wrist", (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 1.0, 7.0) is None
    assert (*state.force, *state.torque, state.frame, state.wrench_arrival) == (1, 2, 3, 4, 5, 6, "wrist", 7.0)
    assert "wrist" in intake.wrench("elbow", (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 1.1, 7.1).message


def test_a_refusal_names_the_joint_and_the_number():
    _, intake = make()
    names, position, velocity, effort = message(PROFILE.start, STILL)
    position[2] = math.nan
    refusal = intake.joints(names, position, velocity, effort, 1.0, 1.0)
    assert PROFILE.joints[2].name in refusal.message
    assert "nan" in refusal.message
    assert "joints are missing: waist" in intake.joints(NAMES[1:], *[values(*[0.0] * DOF)] * 3, 1.0, 1.0).message
    twice = [*NAMES, NAMES[0]]
    assert "more than once: waist" in intake.joints(twice, *[values(*[0.0] * len(twice))] * 3, 1.0, 1.0).message


numbers = st.floats(allow_nan=True, allow_infinity=True)
some_names = st.one_of(
    st.just(list(NAMES)), st.permutations(NAMES), st.lists(st.sampled_from([*NAMES, "", "x"]), max_size=9)
)
some_values = st.one_of(
    st.lists(st.floats(-3.0, 3.0), min_size=len(NAMES), max_size=len(NAMES)),
    st.lists(numbers, min_size=len(NAMES), max_size=len(NAMES)),
    st.lists(numbers, max_size=9),
).map(lambda each: array("d", each))
some_stamp = st.one_of(st.floats(0.0, 10.0), numbers)


def sound(names, position, velocity, effort):
    """Whether a sample can be a reading, written down apart from how the intake finds out."""
    if sorted(names) != sorted(set(names)) or not set(NAMES) <= set(names):
        return False
    if not len(names) == len(position) == len(velocity) == len(effort):
        return False
    watched_places = [names.index(name) for name in NAMES]
    return all(
        math.isfinite(field[place]) and abs(field[place]) < 1e6
        for field in (position, velocity, effort)
        for place in watched_places
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(some_names, some_values, some_values, some_values, some_stamp), max_size=6))
def test_no_joint_state_crashes_the_intake_and_none_that_is_wrong_reaches_the_state(samples):
    state, intake = make()
    for names, position, velocity, effort, stamp in samples:
        before = RobotState(DOF)
        before.copy_from(state)
        taken = intake.joints(names, position, velocity, effort, stamp, 0.0)
        if taken is None:
            assert sound(names, position, velocity, effort)
            assert math.isfinite(stamp)
            assert stamp > before.stamp or state.period == 0.0
            assert state.position.tolist() == [position[names.index(name)] for name in PROFILE.joint_names]
            assert state.velocity.tolist() == [velocity[names.index(name)] for name in PROFILE.joint_names]
        else:
            assert isinstance(taken, Refusal)
            assert taken.message
            np.testing.assert_array_equal(state.position, before.position)
            np.testing.assert_array_equal(state.velocity, before.velocity)
            assert (state.stamp, state.joint_samples) == (before.stamp, before.joint_samples)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["wrist", "elbow"]),
            st.lists(numbers, max_size=4),
            st.lists(numbers, max_size=4),
            some_stamp,
        )
    )
)
def test_no_wrench_crashes_the_intake_and_none_that_is_wrong_reaches_the_state(samples):
    state, intake = make()
    for frame, force, torque, stamp in samples:
        if intake.wrench(frame, force, torque, stamp, 0.0) is None:
            assert [*state.force, *state.torque] == [*force, *torque]
        assert np.isfinite(state.force).all()
        assert np.isfinite(state.torque).all()
        assert state.stamp == -math.inf or math.isfinite(state.stamp)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(1e-9, 1e9)), min_size=2, max_size=20), st.booleans())
def test_estimates_stay_finite_whatever_finite_samples_come(samples, measured):
    state, intake = make(velocity=measured)
    now = 0.0
    for place, gap in samples:
        now += gap
        _, position, velocity, effort = message(one_joint(0, place), one_joint(0, place))
        intake.joints(NAMES, position, velocity if measured else (), effort, now, now)
        assert np.isfinite(state.velocity).all()
        assert np.isfinite(state.acceleration).all()
