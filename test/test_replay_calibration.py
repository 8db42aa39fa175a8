"""Learning the replay signal's thresholds from an arm at rest (spec R1)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ams_ros.exception.calibration.run import Arrived, Run
from ams_ros.replay.calibration import FACTOR, RestNoise
from ams_ros.robot.profile import load_profile
from ams_ros.types import JointSample, WrenchSample

PROFILE = load_profile("widowx_250s")
NAMES = (*PROFILE.joint_names, PROFILE.gripper.joint)
REST = 0.02


def run(positions, names=NAMES, period=0.01):
    samples = [JointSample(5.0 + index * period, names, np.array(row)) for index, row in enumerate(positions)]
    return Run("a run", [Arrived(sample, sample.stamp) for sample in samples])


def idling(seconds=2.0, arm=0.0, finger=0.0):
    """Noise that stays below the speed of rest, of these sizes."""
    time = np.arange(round(seconds / 0.01)) * 0.01
    rows = np.zeros((len(time), len(NAMES)))
    wave = np.cos(2.0 * np.pi * time / 0.8)
    rows[:, 0], rows[:, -1] = arm * wave, 0.02 + finger * wave
    return rows


def learned(*runs):
    noise = RestNoise(PROFILE, REST)
    for each in runs:
        noise.take(each)
    return noise.learned()


def test_a_servo_that_holds_still_needs_no_more_than_the_paper_s_thresholds():
    found = learned(run(idling()))
    assert (found.arm, found.gripper) == (1e-5, 0.001)
    assert found.windows == 3, "the first window of a rest is left out"


def test_thresholds_lie_above_the_largest_change_over_a_slice_at_rest():
    found = learned(run(idling(arm=0.001, finger=0.0008)))
    assert FACTOR * 0.0019 < found.arm <= FACTOR * 0.0021
    assert FACTOR * 0.0015 < found.gripper <= FACTOR * 0.0017


def test_motion_and_the_settling_after_it_are_no_noise():
    moving = np.cumsum(np.full((100, len(NAMES)), 0.002), axis=0)
    moving[:, -1] = 0.02
    settling = np.tile(moving[-1], (40, 1)) + np.linspace(0.0, 0.007, 40)[:, None]
    still = np.tile(settling[-1], (100, 1))
    found = learned(run(np.vstack([moving, settling, still])))
    assert (found.arm, found.gripper) == (1e-5, 0.001)


def test_an_arm_that_never_rests_teaches_nothing():
    rows = np.cumsum(np.full((300, len(NAMES)), 0.002), axis=0)
    assert learned(run(rows)) is None
    assert learned() is None


def test_joints_are_found_by_their_names_whatever_else_a_driver_publishes():
    rows = idling(arm=0.001)
    shuffled = np.column_stack([np.linspace(0, 9, len(rows)), rows[:, ::-1]])
    assert learned(run(shuffled, ("wheel", *reversed(NAMES)))) == learned(run(rows))


def test_a_robot_without_a_measured_gripper_learns_its_arm():
    found = learned(run(idling(arm=0.001)[:, :-1], NAMES[:-1]))
    assert found.arm > 1e-5
    assert found.gripper == 0.001


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_samples_that_are_no_numbers_end_a_rest_and_are_not_learned_from(broken):
    rows = idling(arm=0.001)
    rows[::30, 2] = broken
    assert learned(run(rows)) is None


def test_samples_of_other_sensors_and_clocks_set_back_are_no_change():
    good = run(idling())
    wrench = Arrived(WrenchSample(5.0, "wrist", np.ones(3), np.ones(3)), 5.0)
    back = Run("back", [*good.events, wrench, *run(idling() + 0.5).events])
    assert learned(back).arm == 1e-5
