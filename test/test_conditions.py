"""Conditions written in YAML: what a file may say, and when what it says counts as violated (E1 #7, E2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError
from ams_ros.exception.conditions.condition import Comparison, Expectation
from ams_ros.exception.conditions.condition_file import MOST, outcomes_file, parse_conditions, read_conditions
from ams_ros.exception.conditions.quantities import quantities
from ams_ros.exception.plan import MotionPlan, Purpose
from ams_ros.exception.rule import Violation, WatchedRobot
from ams_ros.exception.rules.condition import ConditionRule, ConditionSettings
from ams_ros.exception.state import RobotState
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.kinematics import forward
from ams_ros.robot.profile import load_profile
from ams_ros.robot.section import Section
from ams_ros.types import ExceptionKind, Severity

PROFILE = load_profile("widowx_250s")
ROBOT = WatchedRobot(PROFILE, load_driver("simulated_widowx"), ArmDynamics(PROFILE))
QUANTITIES = quantities(PROFILE)
SLOW = {"name": "slow", "quantity": "joints.speed", "comparison": "below", "value": 1.0}


def parse(*conditions):
    return parse_conditions(Section({"conditions": list(conditions)}, "mine.yaml"), PROFILE)


class Watched:
    """Rule `condition` of a robot whose state the test writes."""

    def __init__(self, *conditions, robot=ROBOT):
        self.rule = ConditionRule(ConditionSettings(parse(*conditions)), robot)
        self.state = RobotState(6)
        self.state.executing = True

    def after(self, seconds: float, **state: object) -> Violation | None:
        """The state takes these values, and a joint sample tells so this much later."""
        self.state.stamp = max(self.state.stamp, 0.0) + seconds
        self.state.joint_samples += 1
        for name, value in state.items():
            if isinstance(getattr(self.state, name), np.ndarray):
                getattr(self.state, name)[:] = value
            else:
                setattr(self.state, name, value)
        return self.rule.joints(self.state)


def plan(gripper=0.037, previous=0.037, purpose=Purpose.TASK):
    return MotionPlan("goal", "context", 4, 3, np.zeros((4, 6)), gripper, previous, 0.05, (4,), purpose)


# What a file may say.


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"quantity": "joint.elbo.position"}, r"mine.yaml.conditions\[0\].quantity: got 'joint.elbo.position'.*elbow"),
        ({"quantity": 3}, r"quantity: got 3, allowed: a word"),
        ({"comparison": "over"}, r"comparison: got 'over', allowed: above, below, within, outside for joints.speed"),
        ({"comparison": "is"}, r"comparison: got 'is', allowed: above, below, within, outside for joints.speed"),
        ({"value": "1 rad"}, r"value: got '1 rad', allowed: a finite number"),
        ({"value": True}, r"value: got True, allowed: a finite number"),
        ({"value": float("nan")}, r"value: got nan, allowed: a finite number"),
        ({"value": 10**400}, r"value: got 10+, allowed: a finite number"),
        ({"value": [0, 1]}, r"value: got \[0, 1\], allowed: a finite number"),
        ({"comparison": "within"}, r"value: got 1.0, allowed: 2 numbers"),
        ({"comparison": "within", "value": [2, 1]}, r"value: got \[2.0, 1.0\], allowed: two numbers, the smaller one"),
        ({"for": -0.1}, r"for: got -0.1, allowed: 0..60 s"),
        ({"for": float("inf")}, r"for: got inf, allowed: a finite number"),
        ({"severity": "bad"}, r"severity: got 'bad', allowed: minor, serious, critical"),
        ({"once": 1}, r"once: got 1, allowed: true or false"),
        ({"name": "Slow!"}, r"name: got 'Slow!', allowed: lower case letters"),
        ({"hysteresis": -1}, r"hysteresis: got -1.0, allowed: at least 0"),
        ({"comparison": "within", "value": [0, 1], "hysteresis": 0.5}, r"hysteresis: got 0.5, allowed: .* below 0.5"),
        ({"hold": 1}, r"mine.yaml.conditions\[0\].hold: got 1, allowed: name, quantity"),
        ({"mesage": "x"}, r"mesage: got 'x', allowed: .*did you mean message"),
        ({"when": {"quantity": "executing"}}, r"when: got .*, allowed: a list of mappings"),
        (
            {"when": [{"quantity": "tip.z", "comparison": "above"}]},
            r"when\[0\].value: got None, allowed: a number",
        ),
        (
            {"when": [{"quantity": "executing", "comparison": "is", "value": 1}]},
            r"value: got 1, allowed: true or false",
        ),
        ({"when": [SLOW]}, r"when\[0\].name: got 'slow', allowed: quantity, comparison, value, for"),
        ({"when": [{"quantity": "tip.effect", "comparison": "above", "value": 0}]}, r"known at the ends of sub-slices"),
        ({"quantity": "tip.effect", "for": 0.1}, r"for: got 0.1, allowed: nothing, as tip.effect is known at the ends"),
        (
            {"when": [{"quantity": "tip.z", "comparison": "above", "value": 0}] * 9},
            r"when: got '9 entries', allowed: at",
        ),
    ],
)
def test_a_file_that_says_something_wrong_is_refused_with_place_value_and_what_is_allowed(change, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        parse(SLOW | change)


def test_what_a_condition_cannot_do_without_is_asked_for():
    for key in ("name", "quantity", "comparison", "value"):
        with pytest.raises(ConfigurationError, match=rf"conditions\[0\].{key}: got None"):
            parse({name: value for name, value in SLOW.items() if name != key})


def test_two_conditions_of_one_name_and_too_many_of_them_are_refused():
    with pytest.raises(ConfigurationError, match="a name no other condition has"):
        parse(SLOW, SLOW)
    with pytest.raises(ConfigurationError, match=f"at most {MOST}"):
        parse(*(SLOW | {"name": f"slow_{number}"} for number in range(MOST + 1)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1",
        "conditions:",
        "conditions: {name: a}",
        "conditions: []\nconditions: []",
        "conditions: []\nmore: 1",
        "conditions: [{name: a, name: b}]",
        "conditions: [2001-13-45]",
        "conditions: " + "[" * 2000,
        "conditions: !!python/object/apply:os.getcwd []",
        "conditions: \x00",
        "a: &a [*a]",
    ],
)
def test_a_file_that_is_not_a_list_of_conditions_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        read_conditions(file, PROFILE)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    for name in ("binary.yaml", "absent.yaml"):
        with pytest.raises(ConfigurationError, match=name):
            read_conditions(tmp_path / name, PROFILE)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(sorted(QUANTITIES)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*SLOW, "when", "for", "once", "hysteresis"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([*SLOW, "when", "for", "once", "hysteresis", "severity"]), json)))
def test_whatever_a_file_holds_it_is_read_or_refused(entries):
    try:
        found = parse(*(SLOW | entry for entry in entries))
    except ConfigurationError:
        return
    assert all(np.isfinite(condition.expected.hold) for condition in found)


def test_the_outcomes_that_ship_are_those_of_the_papers_table_3_with_apply_force_left_to_the_user():
    found = {condition.name: condition for condition in read_conditions(outcomes_file(), PROFILE)}
    assert set(found) == {"grasp", "move_joint", "move_end_effector", "stop"}
    assert found["grasp"].expected.quantity.name == "gripper.gap"
    assert "- name: apply_force\n  enabled: false" in outcomes_file().read_text()


# When it counts as violated.


def test_a_violated_condition_stops_the_arm_and_says_what_was_expected_and_found():
    watched = Watched(SLOW | {"message": "too fast for the table", "severity": "serious"})
    assert watched.after(0.01, velocity=0.5) is None
    found = watched.after(0.01, velocity=[0.0, -1.5, 0.0, 0.0, 0.0, 0.0])
    assert found is not None
    assert (found.rule, found.kind, found.severity) == ("condition", ExceptionKind.CONDITION, Severity.SERIOUS)
    assert found.message == "slow: too fast for the table (joints.speed is 1.5 rad/s, expected below 1 rad/s)"
    (evidence,) = found.evidence
    assert (evidence.name, evidence.value, evidence.limit, evidence.unit) == ("joints.speed", 1.5, 1.0, "rad/s")


def test_without_a_severity_a_condition_is_minor_so_that_only_the_slice_is_cleared():
    assert Watched(SLOW).after(0.01, velocity=2.0).severity is Severity.MINOR


def test_several_conditions_violated_at_once_are_all_named_and_the_gravest_counts():
    watched = Watched(SLOW, {**SLOW, "name": "slower", "value": 0.5, "severity": "critical"})
    found = watched.after(0.01, velocity=2.0)
    assert found.severity is Severity.CRITICAL
    assert [evidence.limit for evidence in found.evidence] == [1.0, 0.5]
    assert "slow: " in found.message
    assert "slower: " in found.message


def test_for_lets_a_short_violation_pass_and_counts_anew_after_it():
    watched = Watched(SLOW | {"for": 0.1})
    for _ in range(5):
        assert watched.after(0.05, velocity=2.0) is None
        assert watched.after(0.05, velocity=2.0) is None
        assert watched.after(0.05, velocity=0.0) is None
    watched.after(0.05, velocity=2.0)
    watched.after(0.05)
    assert watched.after(0.05) is not None


def test_a_condition_matters_only_when_all_its_whens_hold_each_for_its_time():
    when = [
        {"quantity": "gripper.position", "comparison": "below", "value": 0.02},
        {"quantity": "gripper.speed", "comparison": "below", "value": 0.01, "for": 0.1},
    ]
    watched = Watched(SLOW | {"when": when})
    assert watched.after(1.0, velocity=2.0, gripper=0.03, gripper_velocity=0.0) is None
    assert watched.after(1.0, gripper=0.01, gripper_velocity=0.05) is None
    assert watched.after(0.05, gripper_velocity=0.0) is None
    assert watched.after(0.05) is None
    assert watched.after(0.05) is not None


def test_what_is_unknown_neither_violates_a_condition_nor_makes_it_matter():
    watched = Watched(
        {"name": "open", "quantity": "gripper.gap", "comparison": "above", "value": 0.01},
        {"name": "shut", "quantity": "gripper.gap", "comparison": "outside", "value": [0.01, 0.02]},
        SLOW | {"when": [{"quantity": "plan.step", "comparison": "above", "value": -1}]},
    )
    assert watched.after(1.0, velocity=2.0, gripper=np.nan) is None


def test_a_condition_is_told_once_while_it_stays_violated_and_again_in_the_next_plan():
    watched = Watched(SLOW)
    assert watched.after(0.1, velocity=2.0) is not None
    assert watched.after(0.1) is None
    watched.state.plan = plan()
    watched.rule.begin(watched.state)
    assert watched.after(0.1) is not None


def test_a_condition_told_once_is_told_again_only_after_it_held_by_its_hysteresis():
    watched = Watched(SLOW | {"once": True, "hysteresis": 0.4})
    assert watched.after(0.1, velocity=2.0) is not None
    watched.rule.begin(watched.state)
    watched.rule.reset()
    assert watched.after(0.1, velocity=2.0) is None, "a stop that was released mends nothing"
    watched.after(0.1, velocity=0.7)
    assert watched.after(0.1, velocity=2.0) is None, "it did not hold by its hysteresis in between"
    watched.after(0.1, velocity=0.5)
    assert watched.after(0.1, velocity=2.0) is not None


def test_nothing_is_told_while_nothing_is_under_execution_unless_the_condition_says_so():
    watched = Watched(SLOW, {**SLOW, "name": "always", "executing": False, "value": 3.0})
    assert watched.after(0.1, velocity=2.0, executing=False) is None
    assert watched.after(0.1, executing=True).message.startswith("slow")
    assert watched.after(0.1, velocity=4.0, executing=False).message.startswith("always")


def test_a_condition_on_a_sensor_the_robot_lacks_is_off_and_says_why():
    robot = WatchedRobot(PROFILE, load_driver("interbotix_wx250s"), ROBOT.dynamics)
    force = {"name": "touch", "quantity": "wrench.force", "comparison": "below", "value": 20.0}
    watched = Watched(force, SLOW, robot=robot)
    assert watched.rule.off == {"touch": "needs a wrench sensor, which interbotix_wx250s does not have"}
    assert watched.after(0.1, velocity=2.0) is not None, "the others are watched all the same"


def test_a_condition_on_the_wrench_is_judged_with_each_of_its_samples_and_not_before_the_first():
    watched = Watched({"name": "touch", "quantity": "wrench.force.z", "comparison": "above", "value": -5.0})
    watched.state.force[:] = 0.0, 0.0, -8.0
    assert watched.after(0.1) is None, "no wrench has arrived"
    watched.state.wrench_arrival = 1.0
    found = watched.rule.wrench(watched.state)
    assert found is not None
    assert found.evidence[0].value == -8.0


def test_the_same_conditions_hold_at_reduced_thresholds_as_their_numbers_are_meant_as_written():
    watched = Watched(SLOW)
    watched.state.caution = 0.5
    assert watched.after(0.1, velocity=0.9) is None


def test_a_condition_only_known_at_the_ends_of_sub_slices_is_refused_for_users():
    with pytest.raises(ConfigurationError, match=r"conditions.moves.quantity: got 'joints.effect'"):
        Watched({"name": "moves", "quantity": "joints.effect", "comparison": "above", "value": 0.2})


def test_the_margin_passes_1_where_the_limit_is():
    watched = Watched(SLOW | {"for": 10.0})
    watched.after(0.1, velocity=0.5)
    assert watched.rule.margin == pytest.approx(0.5)
    watched.after(0.1, velocity=2.0)
    assert watched.rule.margin == pytest.approx(2.0)


# Quantities.


def read(watched: Watched, name: str) -> float:
    return float(QUANTITIES[name].read(watched.rule.readings))


def test_every_quantity_gives_a_number_or_unknown_from_the_first_sample_on():
    watched = Watched(SLOW)
    watched.after(0.1)
    for quantity in QUANTITIES.values():
        value = float(quantity.read(watched.rule.readings))
        assert np.isnan(value) or np.isfinite(value), quantity.name


def test_quantities_say_what_their_names_promise():
    watched = Watched(SLOW)
    speeds = np.array([0.1, -0.4, 0.2, 0.0, 0.0, 0.0])
    watched.state.plan = plan(gripper=0.015, previous=0.037)
    watched.rule.begin(watched.state)
    watched.after(
        0.1, position=PROFILE.start, velocity=speeds, gripper=0.025, gripper_velocity=-0.06, step=1, elapsed=0.07,
        force=[3.0, 0.0, 4.0], wrench_arrival=1.0,
    )  # fmt: skip
    _, place = forward(PROFILE, PROFILE.start)
    ahead = forward(PROFILE, PROFILE.start + 1e-6 * speeds)[1]
    expected = {
        "joint.shoulder.velocity": -0.4,
        "joints.speed": 0.4,
        "gripper.gap": 0.02,
        "gripper.speed": 0.06,
        "gripper.commanded_gap": 0.0,
        "actuators.speed": 0.5,
        "plan.gripper": 0.015,
        "plan.closing": 1.0,
        "plan.opening": 0.0,
        "plan.recovery": 0.0,
        "plan.step": 4.0,
        "plan.slice": 4.0,
        "elapsed": 0.07,
        "wrench.force": 5.0,
        "tip.x": place[0],
        "tip.z": place[2],
        "tip.speed": float(np.linalg.norm(ahead - place)) / 1e-6,
    }
    assert {name: read(watched, name) for name in expected} == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_the_commanded_gap_is_remembered_when_its_plan_is_over_and_a_recovery_leaves_it_alone():
    watched = Watched(SLOW)
    for following in (plan(gripper=0.015), None, plan(gripper=np.nan, purpose=Purpose.RECOVERY)):
        watched.state.plan = following
        watched.rule.begin(watched.state)
        assert read(watched, "gripper.commanded_gap") == 0.0


def test_the_time_since_the_end_runs_from_the_first_sample_after_it():
    watched = Watched(SLOW)
    watched.after(0.1)
    assert np.isnan(read(watched, "since_end"))
    watched.after(0.1, executing=False)
    watched.after(0.25)
    assert read(watched, "since_end") == pytest.approx(0.25)


def test_the_external_force_is_unknown_until_the_sensor_was_tared_and_then_without_its_offset():
    condition = {"name": "press", "quantity": "wrench.external_force", "comparison": "below", "value": 1.0}
    watched = Watched(condition)
    watched.after(0.01, force=[0.0, 0.0, -30.0], wrench_arrival=1.0, frame="somewhere_else")
    for _ in range(20):
        watched.state.stamp += 0.01
        assert watched.rule.wrench(watched.state) is None, "an offset is no force"
    watched.state.force[0] = 40.0
    told = []
    for _ in range(20):
        watched.state.stamp += 0.01
        told.append(watched.rule.wrench(watched.state))
    assert sum(found is not None for found in told) == 1


# Properties.


@given(
    st.sampled_from([each for each in Comparison if each is not Comparison.IS]),
    st.floats(-10, 10),
    st.floats(0.1, 5),
    st.floats(-30, 30),
)
def test_strain_passes_1_exactly_where_the_expectation_fails(comparison, lower, width, value):
    upper = lower + width
    expectation = Expectation(QUANTITIES["tip.z"], comparison, lower, upper)
    strain = expectation.strain(value)
    near_a_limit = min(abs(value - lower), abs(value - upper)) < 1e-9
    assert strain >= 0.0
    assert near_a_limit or (strain < 1.0) == expectation.met(value)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 0.3), st.sampled_from([0.0, 2.0])), max_size=40), st.floats(0.0, 0.5))
def test_a_condition_is_told_when_it_failed_without_a_break_for_its_time_and_once_each_time(samples, hold):
    watched = Watched(SLOW | {"for": hold})
    stamp, since, told = 0.0, None, False
    for gap, speed in samples:
        stamp += gap
        if speed < 1.0:
            since, told = None, False
        elif since is None:
            since = stamp
        due = since is not None and not told and stamp - since >= hold - 1e-9
        told = told or due
        assert (watched.after(gap, velocity=speed) is not None) == due
