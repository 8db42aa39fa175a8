"""The detector: who is asked when, what wins, and what is not listened to (spec rows E1 and E3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from watched_arm import NAMES, PERIOD, PROFILE, Arm, message, one_joint, only, plan, watched

from ams_ros.errors import ConfigurationError
from ams_ros.exception.detector import Detector, RuleFailure
from ams_ros.exception.rule import Rule, Violation
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.state import RobotState
from ams_ros.exception.threshold_file import default_rule_settings, load_rule_settings
from ams_ros.robot.driver_file import load_driver
from ams_ros.types import JointSample, WrenchSample

STILL = np.zeros(len(PROFILE.joints))
RAMP = PROFILE.start + np.arange(1, 9)[:, None] * one_joint(0, 0.02)
"""Eight steps of 0.02 rad of the waist: sub-slices of 5 and 3 steps."""


def make(*rules):
    detector = Detector(watched(), only(*rules) if rules else default_rule_settings())
    return detector, Arm(detector)


@pytest.fixture
def instead(monkeypatch):
    """Puts a function in the place of one of a rule's methods; for detectors made afterwards."""

    def put(rule, method, function):
        monkeypatch.setattr(RULES[rule], method, function)

    return put


class Ends:
    """Takes the place of a rule's `sub_slice`."""

    def __init__(self):
        self.seen = []

    def listener(self):
        return lambda rule, state, index, begin: self.take(state, index, begin)

    def take(self, state, index, begin):
        self.seen.append(
            (index, state.stamp, begin.stamp, state.plan.goal, float(state.position[0] - begin.position[0]))
        )


def test_the_reference_runs_straight_from_the_pose_at_the_begin_through_the_rows():
    detector, arm = make("silence")
    arm.stand(2)
    began = arm.now
    detector.begin(plan(RAMP), began)
    for _ in range(50):
        arm.stand()
        elapsed = arm.now - began
        expected = PROFILE.start[0] + min(0.4 * elapsed, 0.16)
        assert detector.state.reference[0] == pytest.approx(expected)
        assert detector.state.elapsed == pytest.approx(elapsed)
        assert detector.state.step == min(int(elapsed / 0.05 + 1e-6), 7)
        assert detector.state.reference_velocity[0] == pytest.approx(0.4 if elapsed < 0.4 - 1e-9 else 0.0)
    detector.end(arm.now)
    assert (detector.state.plan, detector.state.executing, detector.state.step) == (None, False, -1)
    np.testing.assert_array_equal(detector.state.reference, arm.position)


def test_each_sub_slice_is_judged_once_with_the_state_at_its_begin_and_the_last_one_at_the_end_e3(instead):
    ends = Ends()
    instead("action_effect", "sub_slice", ends.listener())
    detector, arm = make("action_effect")
    arm.stand(2)
    began = arm.now
    detector.begin(plan(RAMP), began)
    arm.move(one_joint(0, 0.4), 38)
    assert not ends.seen, "no sample waits for the judgement"
    detector.tick(arm.now)
    assert [(index, goal) for index, _, _, goal, _ in ends.seen] == [(0, "aa")]
    assert ends.seen[0][1] == pytest.approx(began + 0.25)
    assert ends.seen[0][4] == pytest.approx(0.1)
    detector.end(arm.now)
    assert [each[0] for each in ends.seen] == [0, 1]
    assert ends.seen[1][2] == ends.seen[0][1]
    detector.end(arm.now)
    arm.stand(20)
    assert len(ends.seen) == 2


def test_a_plan_that_was_broken_off_is_not_judged_by_what_it_did_not_come_to(instead):
    ends = Ends()
    instead("action_effect", "sub_slice", ends.listener())
    detector, arm = make("action_effect")
    arm.stand(2)
    detector.begin(plan(RAMP), arm.now)
    arm.move(one_joint(0, 0.4), 30)
    assert detector.end(arm.now) is None
    assert [each[0] for each in ends.seen] == [0]


def test_after_a_gap_over_several_ends_only_the_sub_slice_whose_begin_was_seen_is_judged(instead):
    ends = Ends()
    instead("action_effect", "sub_slice", ends.listener())
    detector, arm = make("action_effect")
    arm.stand(2)
    rows = PROFILE.start + np.arange(1, 13)[:, None] * one_joint(0, 0.1)
    detector.begin(plan(rows), arm.now)
    arm.now += 0.32
    arm.stand(2)
    detector.tick(arm.now)
    assert [each[0] for each in ends.seen] == [0]
    assert detector.state.sub_slice == 3


def test_while_nothing_is_executed_and_nothing_moves_only_rules_that_always_speak_are_heard(instead):
    instead("tracking_error", "joints", never_well)
    detector, arm = make("tracking_error", "invalid_sample")
    assert not arm.stand(5)
    assert detector.joints(NAMES, (), (), (), arm.now, arm.now).rule == "invalid_sample"
    assert [each.message for each in arm.move(one_joint(0, 0.2), 1)] == ["never well"]
    assert detector.moving
    detector.begin(None, arm.now)
    assert arm.stand(20)
    detector.end(arm.now)
    assert not detector.moving
    assert not arm.stand()


def never_well(rule: Rule, state: RobotState) -> Violation:
    """In place of a rule's `joints`."""
    return rule.violation(state, "never well")


def test_the_arm_counts_as_moving_until_it_was_still_for_as_many_samples_as_its_driver_asks():
    detector, arm = make("silence")
    rest = load_driver("simulated_widowx").rest
    arm.move(one_joint(2, -2 * rest.velocity), 1)
    for _ in range(rest.samples - 1):
        arm.stand()
        assert detector.moving
    arm.stand()
    assert not detector.moving


def test_of_several_violations_the_one_that_explains_most_wins_and_every_rule_sees_every_sample(instead):
    seen = []
    instead("joint_limits", "joints", never_well)
    instead("unreachable_target", "joints", lambda rule, state: seen.append(state.stamp) or never_well(rule, state))
    detector, arm = make("joint_limits", "unreachable_target")
    detector.begin(None, arm.now)
    assert [each.rule for each in arm.stand(3)] == ["joint_limits"] * 3
    assert len(seen) == 3


def test_a_rule_that_raises_is_named(instead):
    def fail(rule, state):
        raise ZeroDivisionError("no such joint")

    for method in ("joints", "begin"):
        instead("joint_limits", method, fail)
    detector, arm = make("joint_limits")
    with pytest.raises(RuleFailure, match="rule joint_limits failed: ZeroDivisionError: no such joint") as caught:
        arm.stand()
    assert caught.value.rule == "joint_limits"
    with pytest.raises(RuleFailure, match="joint_limits"):
        detector.begin(None, 0.0)


def test_a_robot_that_lacks_sensors_runs_what_it_can_and_says_what_is_off_and_why():
    driver = load_driver("jaka_s5")
    lacking = {
        key: getattr(driver, key) for key in ("velocity", "effort", "wrench", "gripper_measured", "physical_inertia")
    }
    detector = Detector(watched(**lacking), load_rule_settings(load_driver("simulated_widowx")))
    assert {"wrench_jump", "wrench_contact", "momentum_observer", "torque", "angular_momentum"} <= set(detector.off)
    assert "a wrench sensor" in detector.off["wrench_jump"]
    assert "a measured gripper joint" in detector.off["outcome.grasp"]
    assert {rule.name for rule in detector.rules} | {name for name in detector.off if "." not in name} == set(RULES)
    arm = Arm(detector)
    for step in range(100):
        detector.joints(list(PROFILE.joint_names), message(PROFILE.start, STILL)[1][:-1], (), (), step * PERIOD, 0.0)
    with pytest.raises(ConfigurationError, match=r"rules\.torque\.enabled.*measured joint effort"):
        detector.set_enabled("torque", True)
    assert arm.detector.margins().keys() == {rule.name for rule in detector.rules}


def test_rules_are_switched_and_changed_while_it_runs():
    detector, arm = make("joint_limits")
    assert detector.off["silence"] == "switched off"
    detector.set_enabled("silence", True)
    assert "silence" not in detector.off
    detector.set_enabled("joint_limits", False)
    assert [rule.name for rule in detector.rules] == ["silence"]
    slow = replace(detector.settings["silence"].thresholds, shortest=3.0)
    detector.change("silence", replace(detector.settings["silence"], thresholds=slow))
    arm.stand(20)
    detector.wrench("wrist", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), arm.now, arm.now)
    assert [detector.tick(arm.now + wait) for wait in (0.5, 1.0, 2.0, 2.9)] == [None] * 4
    with pytest.raises(ConfigurationError, match=r"did you mean silence\?"):
        detector.set_enabled("silense", False)


def test_what_the_driver_reported_is_not_forgotten_when_its_rule_is_switched_off_and_on_again():
    detector = Detector(watched(), only("driver_state"))
    detector.report_driver("the controller is gone")
    detector.set_enabled("driver_state", False)
    assert detector.tick(1.0) is None
    detector.set_enabled("driver_state", True)
    assert detector.tick(1.1).message == "the controller is gone"


def test_caution_scales_limits_and_must_be_a_share():
    detector, _ = make("joint_limits")
    detector.set_caution(0.7)
    assert detector.state.caution == 0.7
    for caution in (0.0, -1.0, 1.1, float("nan")):
        with pytest.raises(ConfigurationError, match="caution"):
            detector.set_caution(caution)


def test_a_plan_of_another_arm_is_refused():
    detector, _ = make("joint_limits")
    with pytest.raises(ValueError, match="7 joints, expected 6"):
        detector.begin(plan(np.zeros((3, 7)), np.zeros(7)), 0.0)


def test_after_a_reset_the_next_sample_is_a_first_one():
    detector, arm = make()
    arm.stand(20)
    detector.reset()
    assert detector.state.joint_samples == 0
    arm.now = 1.0
    assert not arm.stand()
    assert detector.state.period == 0.0


def test_records_and_raw_sequences_are_the_same_samples():
    first, second = make("silence")[0], make("silence")[0]
    names, position, velocity, effort = message(RAMP[3], RAMP[2])
    first.joints(names, position, velocity, effort, 1.0, 2.0)
    sample = JointSample(1.0, tuple(names), np.array(position), np.array(velocity), np.array(effort))
    second.joint_sample(sample, 2.0)
    wrench = WrenchSample(1.1, "wrist", np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    first.wrench(wrench.frame, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 1.1, 2.1)
    second.wrench_sample(wrench, 2.1)
    for key, value in vars(first.state).items():
        np.testing.assert_array_equal(value, getattr(second.state, key))
