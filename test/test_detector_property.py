"""No input, in whatever order, crashes a rule or passes for a reading that it is not."""

from __future__ import annotations

import math
from array import array
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_arm import NAMES, PERIOD, PROFILE, message, plan, watched

from ams_ros.exception.detector import Detector
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.robot.driver_file import load_driver

DOF = len(PROFILE.joints)
SENSORS = ("velocity", "effort", "wrench", "gripper_measured", "physical_inertia")

tame, wild = st.floats(-3.0, 3.0), st.floats(-9e4, 9e4)
finite = st.floats(allow_nan=False, allow_infinity=False)
anything = st.floats()
moment = st.sampled_from([0.0, PERIOD, 0.25, -1.0, 1e3])


def numbers(each, count):
    return st.lists(each, min_size=count, max_size=count)


rows = st.lists(numbers(st.one_of(tame, finite), DOF), min_size=1, max_size=9)
event = st.one_of(
    st.tuples(st.just("joints"), numbers(st.one_of(tame, wild, anything), 3 * len(NAMES)), moment),
    st.tuples(st.just("steady"), numbers(tame, DOF), st.integers(1, 15)),
    st.tuples(st.just("wrench"), numbers(st.one_of(tame, wild, anything), 6), moment),
    st.tuples(st.just("tick"), moment),
    st.tuples(st.just("begin"), st.none() | rows, st.sampled_from([0.05, 0.05, 1e-300, 1e300]), moment),
    st.tuples(st.just("end"), moment),
    st.tuples(st.just("reset")),
)


@cache
def shipped():
    return load_rule_settings(load_driver("simulated_widowx"))


class Storm:
    """Feeds a detector with whatever comes."""

    def __init__(self, full):
        jaka = load_driver("jaka_s5")
        self.full = full
        self.detector = Detector(watched(**({} if full else {key: getattr(jaka, key) for key in SENSORS})), shipped())
        self.now = 100.0

    def joints(self, values, ahead):
        self.now += PERIOD
        fields = [array("d", values[k * len(NAMES) : (k + 1) * len(NAMES)]) for k in range(3)]
        watched_values = fields[0] if not self.full else [*fields[0], *fields[1], *fields[2]]
        watched_values = watched_values if self.full else watched_values[:DOF]
        found = self.detector.joints(NAMES, *fields, self.now + ahead, self.now)
        if not all(map(math.isfinite, watched_values)):
            assert found is not None

    def steady(self, velocity, samples):
        start = self.detector.state.position.copy()
        for step in range(samples):
            self.now += PERIOD
            self.detector.joints(*message(start + np.array(velocity) * PERIOD * step, velocity), self.now, self.now)

    def wrench(self, values, ahead):
        found = self.detector.wrench("wrist", values[:3], values[3:], self.now + ahead, self.now)
        if not all(map(math.isfinite, values)):
            assert found is not None

    def tick(self, ahead):
        self.detector.tick(self.now + ahead)

    def begin(self, rows, period, ahead):
        made = None if rows is None else plan(np.array(rows), self.detector.state.position, period)
        self.detector.begin(made, self.now + ahead)

    def end(self, ahead):
        self.detector.end(self.now + ahead)

    def reset(self):
        self.detector.reset()


@pytest.mark.parametrize("full", [True, False], ids=["every sensor", "positions only"])
@settings(max_examples=60, deadline=None)
@given(events=st.lists(event, max_size=25))
def test_nothing_that_arrives_crashes_a_rule_or_passes_for_a_reading_that_it_is_not(full, events):
    storm = Storm(full)
    for kind, *arguments in events:
        getattr(storm, kind)(*arguments)
        state = storm.detector.state
        for each in (state.position, state.velocity, state.acceleration, state.effort, state.reference, state.force):
            assert np.isfinite(each).all()
        assert not any(map(math.isnan, storm.detector.margins().values()))
