"""Rules about the robot's state: what cannot be seen, reached or trusted (exceptions 2 and 3, spec row E1)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from watched_arm import NAMES, PERIOD, PROFILE, Arm, message, one_joint, only, plan, rule_of, watched

from ams_ros.exception.detector import Detector
from ams_ros.types import ExceptionKind

DOF = len(PROFILE.joints)
STILL = np.zeros(DOF)
WAIST, WRIST = 0, 4


def make(*rules, driver=None, position=PROFILE.start, **thresholds):
    detector = Detector(watched(**(driver or {})), only(*rules, **thresholds))
    return detector, Arm(detector, position)


def test_a_sample_that_is_no_reading_stops_the_arm_even_while_nothing_moves():
    detector, arm = make("invalid_sample")
    arm.stand(3)
    names, position, velocity, effort = message(PROFILE.start, STILL)
    position[3] = math.nan
    found = detector.joints(names, position, velocity, effort, arm.now + PERIOD, arm.now)
    assert (found.rule, found.kind) == ("invalid_sample", ExceptionKind.CRASH)
    assert PROFILE.joints[3].name in found.message
    assert detector.wrench("wrist", (math.inf, 0.0, 0.0), (0.0, 0.0, 0.0), arm.now, arm.now).rule == "invalid_sample"


def test_bad_samples_may_be_let_pass_until_there_are_some_in_a_row():
    detector, arm = make("invalid_sample", samples=3)
    bad = (NAMES, (), (), (), 0.0, 0.0)
    assert [detector.joints(*bad) for _ in range(2)] == [None, None]
    assert not arm.stand()
    assert [detector.joints(*bad) is None for _ in range(3)] == [True, True, False]


def test_joint_states_that_stop_coming_are_noticed_by_their_measured_rate():
    detector, arm = make("silence", shortest=0.05)
    arm.stand(300)
    assert detector.tick(arm.now + 0.09) is None
    assert detector.tick(arm.now + 0.098) is None
    found = detector.tick(arm.now + 0.11)
    assert (found.rule, found.kind) == ("silence", ExceptionKind.CRASH)
    assert "joint states" in found.message
    assert found.evidence[0].value == pytest.approx(0.11)
    assert found.evidence[0].limit == pytest.approx(10 * PERIOD, rel=0.05)


def test_a_robot_that_publishes_slower_than_its_file_says_is_not_called_silent():
    detector, arm = make("silence", driver={"wrench": None}, shortest=0.05)
    found = []
    for step in range(400):
        arm.now = step * 0.05
        detector.joints(*message(PROFILE.start, STILL), arm.now, arm.now)
        found += [detector.tick(arm.now + wait) for wait in (0.01, 0.02, 0.03, 0.04)]
    assert not any(found)


def test_gaps_that_grow_little_by_little_do_not_pass_for_a_rate():
    detector, arm = make("silence", driver={"wrench": None}, shortest=0.05)
    longest = 0.0
    for gap in np.geomspace(PERIOD, 20.0, 30):
        for _ in range(40):
            detector.joints(*message(PROFILE.start, STILL), arm.now, arm.now)
            arm.now += gap
            # The first tick after a long time excuses what this process may have slept through.
            if [detector.tick(arm.now - wait) for wait in (2e-6, 1e-6)][1] is None:
                longest = gap
    assert 10 * PERIOD < longest < 100 * PERIOD


def test_joint_states_that_never_come_are_a_silence_too():
    detector, _ = make("silence")
    ticks = [detector.tick(0.02 * step) for step in range(30)]
    assert ticks[0] is None
    assert ticks[-1].rule == "silence"


def test_stamps_that_stand_still_are_silence():
    detector, arm = make("silence")
    arm.stand(50)
    stood = arm.now
    for step in range(1, 40):
        arm.now = stood + step * PERIOD
        assert detector.joints(*message(PROFILE.start, STILL), stood, arm.now) is None
        found = detector.tick(arm.now)
    assert found.rule == "silence"


def test_a_monitor_that_was_kept_waiting_itself_takes_in_what_came_before_it_calls_silence():
    detector, arm = make("silence", driver={"wrench": None})
    arm.stand(100)
    detector.tick(arm.now)
    late = arm.now + 0.6
    assert detector.tick(late) is None
    arm.now = late
    arm.stand()
    assert detector.tick(late + 0.02) is None


def test_a_wrench_that_stops_coming_counts_only_where_there_is_one():
    for driver, expected in ({}, True), ({"wrench": None}, False):
        detector, arm = make("silence", driver=driver)
        found = None
        for step in range(60):
            arm.stand()
            if step < 20 and expected:
                detector.wrench("wrist", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), arm.now, arm.now)
            found = detector.tick(arm.now)
        assert (found is not None) is expected
        if expected:
            assert "wrenches" in found.message


def test_positions_that_stay_the_same_to_the_last_bit_while_the_plan_moves_on_are_frozen():
    detector, arm = make("silence")
    arm.stand(5)
    rows = PROFILE.start + np.arange(1, 21)[:, None] * one_joint(WAIST, 0.05)
    detector.begin(plan(rows), arm.now)
    found = arm.stand(60)
    assert "have not changed at all" in found[0].message


def test_a_moving_arm_whose_samples_say_the_same_again_and_again_is_frozen_within_milliseconds():
    for driver in {}, {"velocity": False}:
        detector, arm = make("silence", driver=driver)
        assert not arm.move(one_joint(WAIST, 0.5), 40)
        stale = message(arm.position, one_joint(WAIST, 0.5))
        found = [detector.joints(*stale, arm.now + k * PERIOD, arm.now + k * PERIOD) for k in range(1, 9)]
        assert not any(found[:4])
        assert "a joint moved" in found[-1].message


def test_a_servo_that_creeps_from_one_encoder_step_to_the_next_is_not_frozen():
    _, arm = make("silence", driver={"velocity": False})
    arm.stand(3)
    for _ in range(100):
        arm.position = arm.position + one_joint(WAIST, 0.0015)
        assert not arm.stand(4)


def test_an_arm_that_may_stand_still_is_not_frozen():
    detector, arm = make("silence")
    arm.stand(5)
    detector.begin(plan(np.tile(PROFILE.start, (20, 1))), arm.now)
    assert not arm.stand(90)


def test_stamps_that_leap_ahead_of_the_time_that_passed_are_a_clock_jump():
    detector, arm = make("clock_jump")
    arm.stand(5)
    found = detector.joints(*message(PROFILE.start, STILL), arm.now + 5.0, arm.now + PERIOD)
    assert (found.rule, found.kind) == ("clock_jump", ExceptionKind.CRASH)
    assert found.evidence[0].value == pytest.approx(5.0 - PERIOD)


def test_a_burst_of_samples_that_were_held_up_is_no_clock_jump():
    detector, arm = make("clock_jump")
    arm.stand(5)
    late = arm.now + 2.0
    stamps = [arm.now + PERIOD * step for step in range(1, 200)]
    assert not any(detector.joints(*message(PROFILE.start, STILL), stamp, late) for stamp in stamps)


def test_a_clock_that_falls_back_is_a_clock_jump_and_a_sample_overtaken_by_another_is_not():
    detector, arm = make("clock_jump", "invalid_sample")
    arm.stand(5)
    assert detector.joints(*message(PROFILE.start, STILL), arm.now - 0.005, arm.now).rule == "invalid_sample"
    assert detector.joints(*message(PROFILE.start, STILL), arm.now - 8.0, arm.now).rule == "clock_jump"


def test_a_joint_that_can_no_longer_stop_before_its_limit_is_stopped_while_it_still_lies_within():
    spec = PROFILE.joints[WRIST]
    detector, arm = make("joint_limits", position=PROFILE.start + one_joint(WRIST, 0.2))
    arm.stand(2)
    detector.begin(None, arm.now)
    found = arm.move(one_joint(WRIST, 2.0), 40)
    assert (found[0].kind, spec.name in found[0].message) == (ExceptionKind.UNREACHABLE, True)
    place, speed = found[0].evidence
    assert place.value > spec.upper
    stopping = 2.0**2 / (2 * spec.acceleration)
    assert place.value - stopping < spec.upper
    assert speed.value == 2.0


def test_an_arm_that_moves_up_to_its_limit_faster_than_the_profile_brakes_it_by_little_is_let_go_on():
    spec = PROFILE.joints[WRIST]
    detector, arm = make(
        "joint_limits", position=PROFILE.start + one_joint(WRIST, spec.upper - PROFILE.start[WRIST] - 0.2)
    )
    arm.stand(2)
    detector.begin(None, arm.now)
    assert not arm.move(one_joint(WRIST, 1.0), 19)
    assert not arm.stand(50)


def test_an_arm_parked_at_its_limit_or_led_back_from_beyond_it_breaks_nothing():
    spec = PROFILE.joints[WRIST]
    beyond = PROFILE.start.copy()
    beyond[WRIST] = spec.upper + 0.1
    detector, arm = make("joint_limits", position=beyond)
    detector.begin(None, arm.now)
    assert not arm.stand(50)
    assert not arm.move(one_joint(WRIST, -0.5), 20)


def test_an_arm_beyond_its_limit_may_not_creep_further_out():
    beyond = PROFILE.start.copy()
    beyond[WRIST] = PROFILE.joints[WRIST].upper + 0.1
    detector, arm = make("joint_limits", position=beyond)
    arm.stand(2)
    detector.begin(None, arm.now)
    assert arm.move(one_joint(WRIST, 0.005), 600)


def test_the_start_and_safe_poses_and_the_way_between_them_are_far_from_singular():
    detector, arm = make("singularity")
    arm.ticks = True
    detector.begin(None, arm.now)
    rule = rule_of(detector, "singularity")
    strain = []
    for share in np.linspace(0.0, 1.0, 60):
        arm.position = PROFILE.start + share * (PROFILE.safe - PROFILE.start)
        assert not arm.stand(6)
        strain.append(rule.margin)
    assert max(strain) < 0.2


def test_an_arm_that_moves_into_a_singular_pose_is_stopped_and_one_that_moves_out_of_it_is_not():
    straight = PROFILE.start.copy()
    straight[WRIST] = 0.1
    detector, arm = make("singularity", position=straight)
    arm.ticks = True
    detector.begin(None, arm.now)
    found = arm.move(one_joint(WRIST, -0.1), 99)
    assert (found[0].rule, found[0].kind) == ("singularity", ExceptionKind.UNREACHABLE)
    detector.end(arm.now)
    detector.begin(None, arm.now)
    assert not arm.move(one_joint(WRIST, -0.1), 99)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (PROFILE.start + one_joint(WRIST, 1.0) * np.array([[0.1], [0.2], [0.9]]), "step 2 wants wrist_angle"),
        (PROFILE.start + one_joint(WAIST, -4.0) * np.linspace(0.05, 1.0, 20)[:, None], "wants waist"),
        (PROFILE.start + one_joint(WAIST, 0.5) * np.array([[0.1], [1.0]]), "step 1 needs waist"),
        (PROFILE.start + one_joint(WAIST, 0.5) * np.array([[1.0], [1.0]]), "step 0 needs waist"),
    ],
)
def test_a_plan_out_of_limits_or_too_fast_is_stopped_before_it_got_anywhere(rows, message):
    detector, arm = make("unreachable_target")
    arm.stand(2)
    detector.begin(plan(rows), arm.now)
    assert message in detector.tick(arm.now).message
    found = arm.stand()
    assert (found[0].kind, message in found[0].message) == (ExceptionKind.UNREACHABLE, True)
    detector.end(arm.now)
    detector.begin(plan(np.tile(PROFILE.start, (3, 1))), arm.now)
    assert not arm.stand()


def test_a_step_faster_than_the_arm_is_harmless_while_the_plan_leaves_time_to_catch_up():
    detector, arm = make("unreachable_target")
    arm.stand(2)
    once = PROFILE.start + one_joint(WAIST, 0.25) * np.array([[0.0], [1.0], [1.0], [1.0]])
    detector.begin(plan(once), arm.now)
    assert not arm.stand()
    assert 0.4 < detector.margins()["unreachable_target"] < 0.6
    detector.end(arm.now)
    again = PROFILE.start + one_joint(WAIST, 0.25) * np.arange(1, 5)[:, None]
    detector.begin(plan(again), arm.now)
    assert "step 3 needs waist" in arm.stand()[0].message


def test_a_plan_may_lead_an_arm_back_from_beyond_its_limit():
    beyond = PROFILE.start.copy()
    beyond[WRIST] = PROFILE.joints[WRIST].upper + 0.1
    detector, arm = make("unreachable_target", position=beyond)
    arm.stand(2)
    detector.begin(plan(beyond + one_joint(WRIST, -0.02) * np.arange(1, 11)[:, None], begin=beyond), arm.now)
    assert not arm.stand()


def test_what_the_driver_reports_of_itself_holds_until_it_is_well_again():
    detector, arm = make("driver_state")
    detector.report_driver("the controller is inactive")
    assert detector.tick(arm.now).message == "the controller is inactive"
    assert arm.stand()[0].kind is ExceptionKind.CRASH
    detector.report_driver("")
    assert detector.tick(arm.now) is None
    assert not arm.stand()
