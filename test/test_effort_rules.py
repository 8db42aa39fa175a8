"""Torque too big and angular momentum too big (exceptions 4 and 5, spec row E1), and no rule falls over."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_feed import STILL, Feed
from watched_arm import PERIOD, PROFILE, plan, watched

from ams_ros.errors import ConfigurationError
from ams_ros.exception.rule import Need
from ams_ros.exception.rules.angular_momentum import AngularMomentum, AngularMomentumSettings, greatest_swing
from ams_ros.exception.rules.momentum_observer import MomentumObserver, MomentumObserverSettings
from ams_ros.exception.rules.torque import Torque, TorqueSettings
from ams_ros.exception.rules.tracking_error import TrackingError, TrackingErrorSettings
from ams_ros.exception.rules.wrench_contact import WrenchContact, WrenchContactSettings
from ams_ros.exception.rules.wrench_jump import WrenchJump, WrenchJumpSettings
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.types import ExceptionKind, Severity

EVERY_RULE = (
    (WrenchJump, WrenchJumpSettings),
    (WrenchContact, WrenchContactSettings),
    (MomentumObserver, MomentumObserverSettings),
    (TrackingError, TrackingErrorSettings),
    (Torque, TorqueSettings),
    (AngularMomentum, AngularMomentumSettings),
)
STRETCHED = np.array([0.0, math.pi / 2, -math.pi / 2, 0.0, 0.0, 0.0])
finite = st.floats(allow_nan=False, allow_infinity=False)
extremes = st.one_of(st.floats(-10.0, 10.0), finite, st.sampled_from([1.7e308, -1.7e308, 1e154, 5e-324]))
rows = st.lists(extremes, min_size=6, max_size=6).map(np.array)


def one(joint, value):
    found = np.zeros(6)
    found[joint] = value
    return found


def test_effort_at_the_limit_is_too_big_once_it_lasts():
    seen = Feed(Torque(TorqueSettings(), watched()))
    for _ in range(30):
        seen.joints(PROFILE.start, STILL, one(1, -PROFILE.effort[1]))
    assert not seen.fired
    for _ in range(30):
        seen.joints(PROFILE.start, STILL, one(1, -PROFILE.effort[1]))
    found = seen.fired[0]
    assert (found.kind, found.severity) == (ExceptionKind.TORQUE, Severity.SERIOUS)
    assert found.evidence[0].name == "effort.shoulder"
    assert found.evidence[0].value == -PROFILE.effort[1]


def test_starts_and_stops_that_pass_from_joint_to_joint_are_not_too_much_torque():
    seen = Feed(Torque(TorqueSettings(), watched()))
    for sample in range(300):
        seen.joints(PROFILE.start, STILL, one(sample // 30 % 6, PROFILE.effort[sample // 30 % 6]))
    assert not seen.fired
    assert seen.highest > 1.0


def test_a_motor_that_gives_no_more_though_its_joint_is_behind_is_at_a_limit_the_profile_does_not_know():
    weak, slow, resting = (Feed(Torque(TorqueSettings(), watched())) for _ in range(3))
    for seen in (weak, slow, resting):
        seen.state.plan, seen.state.reference[:] = plan(np.array([PROFILE.start])), PROFILE.start + one(1, 0.2)
    for sample in range(40):
        weak.joints(PROFILE.start, STILL, one(1, 2.0))
        slow.joints(PROFILE.start, STILL, one(1, 2.0 + 0.1 * sample))
        resting.joints(PROFILE.start + one(1, 0.19), STILL, one(1, 2.0))
    assert "shoulder can give no more" in weak.fired[0].message
    assert [each.name for each in weak.fired[0].evidence] == ["effort.shoulder", "error.shoulder"]
    assert not slow.fired
    assert not resting.fired


def test_a_weakened_joint_of_the_simulated_arm_is_torque_too_big():
    plant = Plant(PROFILE)
    plant.reset(SceneLayout(cubes=(), settle=0.2))
    seen = Feed(Torque(TorqueSettings(), watched()))
    seen.plant(plant, 0.3, PROFILE.start + 0.1)
    assert not seen.fired
    plant.disturbances.weaken(0.1, "shoulder")
    seen.plant(plant, 0.8, PROFILE.start - 0.5)
    plant.close()
    assert "shoulder" in seen.fired[0].message


def test_holding_the_arm_and_moving_it_takes_neither_too_much_torque_nor_swings_it_too_hard():
    plant = Plant(PROFILE)
    plant.reset(SceneLayout(cubes=(), settle=0.2))
    rules = [Torque(TorqueSettings(), watched()), AngularMomentum(AngularMomentumSettings(), watched())]
    for rule in rules:
        seen = Feed(rule)
        for turn in (0.4, -0.4):
            seen.plant(plant, 0.5, PROFILE.start + turn)
        assert not seen.fired
        assert 0.0 < seen.highest < 1.0
    plant.close()


def test_caution_lowers_the_limit_of_the_torque():
    normal, cautious = (Feed(Torque(TorqueSettings(duration=0.0), watched())) for _ in range(2))
    cautious.state.caution = 0.7
    for seen in (normal, cautious):
        seen.joints(PROFILE.start, STILL, one(0, 0.7 * PROFILE.effort[0]))
    assert not normal.fired
    assert cautious.fired[0].evidence[0].limit == pytest.approx(0.9 * 0.7 * PROFILE.effort[0])


def test_the_stretched_arm_at_full_speed_swings_too_hard_but_the_folded_one_does_not():
    speed = one(0, PROFILE.velocity[0])
    folded = np.array([0.0, -1.8, 1.55, 0.0, 0.8, 0.0])
    swung, kept = (Feed(AngularMomentum(AngularMomentumSettings(), watched())) for _ in range(2))
    for _ in range(10):
        swung.joints(STRETCHED, speed)
        kept.joints(folded, speed)
    assert swung.fired[0].kind is ExceptionKind.MOMENTUM
    assert swung.fired[0].evidence[0].value > swung.fired[0].evidence[0].limit
    assert not kept.fired


def test_caution_lowers_the_limit_of_the_angular_momentum():
    robot = watched()
    rule = AngularMomentum(AngularMomentumSettings(duration=0.0), robot)
    assert rule.limit == pytest.approx(0.6 * greatest_swing(robot))
    cautious = Feed(rule)
    cautious.joints(STRETCHED, one(0, 1.0))
    speed = one(0, 0.85 / rule.margin)
    cautious.joints(STRETCHED, speed)
    assert not cautious.fired
    cautious.state.caution = 0.7
    cautious.joints(STRETCHED, speed)
    assert cautious.fired[0].evidence[0].limit == pytest.approx(0.7 * rule.limit)


@pytest.mark.parametrize(("rule", "limits"), EVERY_RULE, ids=lambda each: each.__name__)
def test_what_was_seen_before_a_reset_counts_no_more(rule, limits):
    seen = Feed(rule(limits(), watched()))
    seen.state.plan = plan(np.array([PROFILE.start]))
    for _ in range(100):
        seen.joints(PROFILE.start + 1.0, PROFILE.velocity, 2.0 * PROFILE.effort)
        seen.wrench(np.full(3, 500.0), np.full(3, 50.0))
    seen.rule.reset()
    assert seen.rule.margin == 0.0


def test_what_each_rule_cannot_do_without():
    needs = {rule.name: rule.needs for rule, _ in EVERY_RULE}
    assert needs == {
        "wrench_jump": {Need.WRENCH},
        "wrench_contact": {Need.WRENCH},
        "momentum_observer": {Need.VELOCITY, Need.EFFORT, Need.DYNAMICS},
        "tracking_error": frozenset(),
        "torque": {Need.EFFORT},
        "angular_momentum": {Need.DYNAMICS},
    }


@pytest.mark.parametrize(("rule", "limits"), EVERY_RULE[4:], ids=lambda each: each.__name__)
def test_a_share_that_makes_no_sense_is_refused(rule, limits):
    with pytest.raises(ConfigurationError, match=f"rules.{rule.name}.share"):
        limits(share=-1.0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("rule", "limits"), EVERY_RULE, ids=lambda each: each.__name__)
@settings(max_examples=50, deadline=None)
@given(samples=st.lists(st.tuples(rows, rows, rows, st.floats(-5.0, 5.0)), min_size=1, max_size=6))
def test_no_finite_sample_makes_a_rule_fall_over(rule, limits, samples):
    seen = Feed(rule(limits(), watched()))
    for _ in range(12):
        seen.joints(PROFILE.start)
        seen.wrench(np.zeros(3))
    for first, second, third, step in samples:
        seen.state.plan, seen.state.reference[:] = plan(np.array([PROFILE.start])), third
        seen.joints(first, second, third)
        seen.wrench(first[:3], second[:3], step)
    assert all(found.rule == rule.name for found in seen.fired)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("size", [1e30, 1e200, 1.7e308])
@pytest.mark.parametrize(("rule", "limits"), EVERY_RULE, ids=lambda each: each.__name__)
def test_absurd_numbers_count_as_too_large_and_never_as_nothing(rule, limits, size):
    seen = Feed(rule(limits(), watched()))
    for _ in range(12):
        seen.joints(PROFILE.start)
        seen.wrench(np.zeros(3))
    seen.state.plan, seen.state.reference[:] = plan(np.array([PROFILE.start])), PROFILE.start
    absurd = np.full(6, size)
    for _ in range(60):
        seen.joints(absurd, absurd, absurd)
        seen.wrench(absurd[:3], absurd[:3], PERIOD)
    assert seen.fired
