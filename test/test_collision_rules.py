"""Collisions (exception 1, spec row E1): what strikes, presses, turns or holds the arm, and what is only its work."""

from __future__ import annotations

import numpy as np
import pytest
from rule_feed import STILL, Feed
from watched_arm import PERIOD, PROFILE, plan, watched

from ams_ros.errors import ConfigurationError
from ams_ros.exception.rules.free_contact import FreeContact, FreeContactSettings
from ams_ros.exception.rules.momentum_observer import MomentumObserver, MomentumObserverSettings
from ams_ros.exception.rules.tracking_error import TrackingError, TrackingErrorSettings
from ams_ros.exception.rules.wrench_contact import WrenchContact, WrenchContactSettings
from ams_ros.exception.rules.wrench_jump import WrenchJump, WrenchJumpSettings
from ams_ros.simulation.faults.disturbances import FOREARM, HAND
from ams_ros.simulation.layout import SceneLayout
from ams_ros.types import ExceptionKind

RULES = {
    "wrench_jump": (WrenchJump, WrenchJumpSettings),
    "wrench_contact": (WrenchContact, WrenchContactSettings),
    "free_contact": (FreeContact, FreeContactSettings),
    "momentum_observer": (MomentumObserver, MomentumObserverSettings),
    "tracking_error": (TrackingError, TrackingErrorSettings),
}
AWAY = PROFILE.start + np.array([0.5, -0.3, 0.3, 0.6, -0.4, 0.8])
X = np.array([1.0, 0.0, 0.0])


def feed(name, driver=None, **thresholds):
    rule, limits = RULES[name]
    return Feed(rule(limits(**thresholds), watched(**(driver or {}))))


@pytest.fixture
def plant(shared_plant):
    shared_plant.reset(SceneLayout(cubes=(), settle=0.2))
    return shared_plant


def tared(name, **thresholds):
    """A rule of the wrench, without an arm's weight, whose sensor has its offset: 3 N along x."""
    found = feed(name, {"physical_inertia": False}, **thresholds)
    for _ in range(10):
        found.wrench(3.0 * X, step=PERIOD)
    return found


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("caution", [1.0, 0.7])
def test_free_motion_there_and_back_is_no_collision_even_at_the_caution_of_a_recovery(plant, name, caution):
    seen = feed(name)
    seen.state.caution = caution
    for goal in (PROFILE.start, AWAY, PROFILE.start, AWAY):
        seen.plant(plant, 0.8, goal)
        seen.plant(plant, 0.3)
    assert not seen.fired
    assert 0.0 < seen.highest < 1.0


@pytest.mark.parametrize(
    ("name", "target", "force"),
    [
        ("free_contact", HAND, 12.0),
        ("wrench_contact", HAND, 30.0),
        ("wrench_jump", HAND, 150.0),
        ("momentum_observer", FOREARM, 40.0),
    ],
)
def test_a_push_is_a_collision_seen_by_the_rule_whose_part_of_the_arm_it_meets(plant, name, target, force):
    seen = feed(name)
    seen.plant(plant, 0.3)
    plant.disturbances.push(target, np.array([0.0, force, 0.0]))
    seen.plant(plant, 0.5, PROFILE.start + 0.1)
    assert seen.fired
    assert (seen.fired[0].rule, seen.fired[0].kind) == (name, ExceptionKind.COLLISION)
    assert any(abs(each.value) > each.limit for each in seen.fired[0].evidence)


def test_a_touch_where_the_gripper_works_is_not_one_in_free_motion(plant):
    working = feed("free_contact", height=0.5)
    working.plant(plant, 0.3)
    plant.disturbances.push(HAND, np.array([0.0, 30.0, 0.0]))
    working.plant(plant, 0.5)
    assert not working.fired
    assert working.highest < 1.0


def test_after_a_release_an_arm_may_withdraw_from_what_it_touches_until_it_is_free_of_it(plant):
    seen = feed("free_contact")
    seen.plant(plant, 0.3)
    for _ in range(2):
        plant.disturbances.push(HAND, np.array([0.0, 30.0, 0.0]))
        seen.plant(plant, 0.2)
        assert seen.fired
        seen.rule.reset()
        seen.fired.clear()
        seen.plant(plant, 0.5)
        assert not seen.fired
        plant.disturbances.clear()
        seen.plant(plant, 0.3)


def test_without_the_weight_of_the_gripper_nothing_is_said_about_free_motion(plant):
    seen = feed("free_contact", {"physical_inertia": False})
    seen.plant(plant, 0.3)
    plant.disturbances.push(HAND, np.array([0.0, 30.0, 0.0]))
    seen.plant(plant, 0.5)
    assert not seen.fired
    assert "weight of the gripper is not known" in seen.rule.degraded


def test_what_the_wrist_sensor_feels_is_no_concern_of_the_momentum_observer(plant):
    seen, blind = feed("momentum_observer"), feed("momentum_observer")
    blind.wrench = lambda force, torque: None
    for each in (seen, blind):
        plant.reset(SceneLayout(cubes=(), settle=0.2))
        each.plant(plant, 0.3)
        plant.disturbances.push(HAND, np.array([0.0, 30.0, 0.0]))
        each.plant(plant, 0.3)
        plant.disturbances.clear()
    assert blind.fired
    assert not seen.fired
    assert "wrench" in RULES["momentum_observer"][0](MomentumObserverSettings(), watched(wrench=None)).degraded


def test_a_joint_that_is_held_falls_behind_its_reference(plant):
    seen = feed("tracking_error")
    seen.plant(plant, 0.5, AWAY)
    assert not seen.fired
    begin = seen.state.position.copy()
    seen.state.plan = plan(np.array([begin + 0.5]), begin, 0.5)
    for sample in range(50):
        seen.state.reference[:] = begin + 0.01 * sample
        seen.joints(np.where(np.arange(6) == 2, begin, seen.state.reference))
    assert "elbow" in seen.fired[0].message
    assert seen.fired[0].evidence[0].value > seen.fired[0].evidence[0].limit


def test_a_servo_that_lags_by_what_was_said_still_follows():
    seen = feed("tracking_error", lag=0.3, error=0.01)
    seen.state.plan, late = plan(np.array([PROFILE.start + 1.0]), period=1.0), PROFILE.start.copy()
    for sample in range(100):
        seen.state.reference[:] = PROFILE.start + 0.01 * sample
        late += 0.04 * (seen.state.reference - late)
        seen.joints(late)
    assert not seen.fired


def test_without_an_announced_plan_there_is_nothing_to_fall_behind():
    seen = feed("tracking_error")
    for sample in range(50):
        seen.joints(PROFILE.start + 0.1 * sample)
    assert not seen.fired
    assert seen.rule.margin == 0.0


def test_a_lone_spike_of_the_sensor_is_no_blow_but_ringing_is():
    seen = tared("wrench_jump", force=20.0, window=0.1)
    for _ in range(3):
        seen.wrench(100.0 * X, step=PERIOD)
        for _ in range(20):
            seen.wrench(3.0 * X, step=PERIOD)
    assert not seen.fired
    for value in (60.0, -50.0, 45.0):
        seen.wrench(value * X, step=PERIOD)
    assert len(seen.fired) == 1
    assert seen.fired[0].evidence[0].name == "force_change"


def test_a_force_that_grows_slowly_is_contact_but_no_blow():
    jump, contact = tared("wrench_jump", force=20.0), tared("wrench_contact", force=20.0)
    for seen in (jump, contact):
        for force in np.linspace(3.0, 60.0, 300):
            seen.wrench(force * X, step=PERIOD)
    assert not jump.fired
    assert contact.fired[0].evidence[0].value > 20.0


def test_a_touch_is_no_contact_until_it_has_lasted():
    seen = tared("wrench_contact", force=20.0, duration=0.2)
    for _ in range(5):
        for force in (40.0, 0.0):
            for _ in range(15):
                seen.wrench(force * X, step=PERIOD)
    assert not seen.fired
    for _ in range(25):
        seen.wrench(40.0 * X, step=PERIOD)
    assert seen.fired


def test_a_contact_that_trembles_about_its_limit_lasts_but_below_the_release_it_ends():
    trembling, ending = (tared("wrench_contact", force=20.0, duration=0.2, smoothing=0.0) for _ in range(2))
    for sample in range(40):
        trembling.wrench((3.0 + (21.0 if sample % 2 == 0 else 16.0)) * X, step=PERIOD)
        ending.wrench((3.0 + (21.0 if sample % 2 == 0 else 12.0)) * X, step=PERIOD)
    assert trembling.fired
    assert not ending.fired


@pytest.mark.parametrize(("name", "force"), [("wrench_jump", 18.0), ("wrench_contact", 18.0)])
def test_caution_lowers_the_limits_of_the_wrench(name, force):
    normal, cautious = (tared(name, force=20.0) for _ in range(2))
    cautious.state.caution = 0.7
    for seen in (normal, cautious):
        for _ in range(50):
            seen.wrench((3.0 + force) * X, step=PERIOD)
    assert not normal.fired
    assert cautious.fired[0].evidence[0].limit == pytest.approx(14.0)


def test_caution_lowers_the_limit_of_the_observer_and_of_the_tracking_error():
    for name, share in (("momentum_observer", 0.2), ("tracking_error", 0.1)):
        normal, cautious = (feed(name) for _ in range(2))
        cautious.state.caution = 0.7
        for seen in (normal, cautious):
            seen.state.plan, seen.state.reference[:] = plan(np.array([PROFILE.start])), PROFILE.start
            weight = seen.rule.robot.dynamics.gravity(PROFILE.start).copy()
            seen.joints(PROFILE.start, STILL, weight)
            for _ in range(60):
                if name == "momentum_observer":
                    seen.joints(PROFILE.start, STILL, weight + share * PROFILE.effort)
                else:
                    seen.joints(PROFILE.start + share)
        assert not normal.fired, name
        assert cautious.fired, name


def test_every_sample_says_so_while_a_collision_holds_and_a_reset_ends_it_but_keeps_the_offset():
    seen = tared("wrench_contact", force=20.0, duration=0.0)
    for _ in range(20):
        seen.wrench(60.0 * X, step=PERIOD)
    told = len(seen.fired)
    assert told > 10
    seen.rule.reset()
    assert seen.rule.margin == 0.0
    seen.wrench(3.0 * X, step=PERIOD)
    assert len(seen.fired) == told
    assert seen.rule.margin == pytest.approx(0.0)
    seen.wrench(60.0 * X, step=PERIOD)
    seen.wrench(60.0 * X, step=PERIOD)
    assert len(seen.fired) > told


def test_a_gap_in_the_samples_begins_the_observer_anew_instead_of_adding_it_up():
    seen = feed("momentum_observer", gap=0.1)
    weight = seen.rule.robot.dynamics.gravity(PROFILE.start).copy()
    for _ in range(20):
        seen.joints(PROFILE.start, STILL, weight + 0.2 * PROFILE.effort)
    assert seen.rule.margin > 0.5
    seen.state.period = 5.0
    seen.rule.joints(seen.state)
    assert seen.rule.margin == 0.0


@pytest.mark.parametrize("name", ["momentum_observer", "tracking_error"])
def test_thresholds_may_differ_from_joint_to_joint_but_there_must_be_one_for_each(name):
    key = {"momentum_observer": "residual", "tracking_error": "error"}[name]
    feed(name, **{key: (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)})
    with pytest.raises(ConfigurationError, match=f"rules.{name}.{key}"):
        feed(name, **{key: (0.1, 0.2)})


@pytest.mark.parametrize("name", RULES)
def test_thresholds_out_of_range_are_refused(name):
    with pytest.raises(ConfigurationError, match=f"rules.{name}"):
        RULES[name][1](**{next(iter(RULES[name][1].__dataclass_fields__)): -1.0})
