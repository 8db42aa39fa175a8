"""What the wrist sensor shows, less what is no contact: its offset, the gripper's weight, a load that hangs."""

from __future__ import annotations

import numpy as np
import pytest
from rule_feed import STILL
from watched_arm import PERIOD, PROFILE, watched

from ams_ros.exception.state import RobotState
from ams_ros.exception.wrench_compensation import TARE_SAMPLES, WrenchCompensation

TURNED = PROFILE.start + np.array([0.4, -0.3, 0.2, 0.8, -1.0, 1.5])
OFFSET = np.array([4.0, -2.0, 1.0, 0.1, -0.2, 0.3])


class Sensor:
    """Shows weight, offset and whatever touches, as a real one would."""

    def __init__(self, smoothing=0.0, payload=0.25, frame="wrist_ft_link", **driver):
        self.robot = watched(**driver)
        self.compensation = WrenchCompensation(self.robot, smoothing, payload)
        self.state = RobotState(len(PROFILE.joints))
        self.state.stamp, self.state.frame = 5.0, frame

    def stand(self, position, velocity=STILL):
        self.state.position[:], self.state.velocity[:] = position, velocity
        self.state.joint_samples += 1
        self.state.joints_arrival = self.state.stamp

    def show(self, touch=STILL, load=0.0, samples=1):
        """External force and torque after samples with weight, offset, `touch` (6,) and a load of that many kg."""
        dynamics = self.robot.dynamics
        force, torque = dynamics.tool_weight(self.state.position)
        pull = load * dynamics.gravity_acceleration * np.array(dynamics.down(self.state.position))
        for _ in range(samples):
            self.state.stamp += PERIOD
            self.state.force[:] = force + pull + OFFSET[:3] + touch[:3]
            self.state.torque[:] = torque + np.cross(PROFILE.tip_origin, pull) + OFFSET[3:] + touch[3:]
            known = self.compensation.update(self.state)
        return np.array(self.compensation.external) if known else None


@pytest.fixture
def sensor():
    found = Sensor()
    found.stand(PROFILE.start)
    found.show(samples=TARE_SAMPLES)
    return found


def test_offset_and_weight_are_gone_in_every_pose(sensor):
    assert sensor.show() == pytest.approx(np.zeros(6), abs=1e-9)
    sensor.stand(TURNED)
    assert sensor.show() == pytest.approx(np.zeros(6), abs=1e-9)


def test_what_touches_is_left(sensor):
    touch = np.array([1.0, -9.0, 3.0, 0.2, 0.1, -0.4])
    sensor.stand(TURNED)
    assert sensor.show(touch) == pytest.approx(touch)


def test_a_moving_arm_is_not_tared_and_says_so():
    sensor = Sensor()
    sensor.stand(PROFILE.start, np.full(6, 0.5))
    assert sensor.show(samples=3 * TARE_SAMPLES) is None
    assert "at rest" in sensor.compensation.degraded
    sensor.stand(PROFILE.start)
    assert sensor.show(samples=TARE_SAMPLES) is None
    assert sensor.show() == pytest.approx(np.zeros(6), abs=1e-9)
    assert sensor.compensation.degraded == ""


def test_a_bare_sensor_without_joints_is_tared_from_its_first_samples():
    sensor = Sensor(physical_inertia=False, frame="robot_sensor")
    sensor.show(samples=TARE_SAMPLES)
    touch = np.arange(6.0)
    assert sensor.show(touch) == pytest.approx(touch)


@pytest.mark.parametrize("lacks", [{"physical_inertia": False}, {"frame": "another_link"}])
def test_without_knowing_the_weight_the_offset_alone_is_taken_out_and_degraded_says_so(lacks):
    sensor = Sensor(**lacks)
    sensor.stand(PROFILE.start)
    sensor.show(samples=TARE_SAMPLES)
    assert sensor.show() == pytest.approx(np.zeros(6), abs=1e-9)
    sensor.stand(TURNED)
    assert np.abs(sensor.show()).max() > 0.5
    assert "weight" in sensor.compensation.degraded


def test_a_load_taken_up_is_weighed_at_rest_and_then_follows_the_pose(sensor):
    assert sensor.show(load=0.15)[:3] @ np.array(sensor.robot.dynamics.down(PROFILE.start)) > 1.0
    sensor.show(load=0.15, samples=100)
    assert sensor.show(load=0.15) == pytest.approx(np.zeros(6), abs=1e-3)
    sensor.state.executing = True
    sensor.stand(TURNED)
    assert sensor.show(load=0.15) == pytest.approx(np.zeros(6), abs=1e-3)


def test_who_pulls_harder_than_a_load_or_aside_or_upwards_is_not_weighed_away(sensor):
    down = np.array(sensor.robot.dynamics.down(PROFILE.start))
    aside = np.concatenate((8.0 * np.cross(down, [0.0, 1.0, 0.0]), np.zeros(3)))
    heavy, upwards = np.concatenate((20.0 * down, np.zeros(3))), np.concatenate((-6.0 * down, np.zeros(3)))
    assert np.linalg.norm(sensor.show(aside, samples=200)[:3]) == pytest.approx(8.0)
    assert np.linalg.norm(sensor.show(upwards, samples=200)[:3]) == pytest.approx(6.0)
    assert np.linalg.norm(sensor.show(heavy, samples=200)[:3]) == pytest.approx(20.0 - 0.25 * 9.81, rel=1e-3)


def test_a_load_is_not_weighed_while_a_goal_is_under_execution(sensor):
    sensor.state.executing = True
    assert np.linalg.norm(sensor.show(load=0.15, samples=100)[:3]) == pytest.approx(0.15 * 9.81, rel=1e-6)


def test_a_reset_keeps_the_offset_because_the_arm_may_still_lean_on_something(sensor):
    touch = np.array([0.0, 12.0, 0.0, 0.0, 0.0, 0.0])
    sensor.show(touch)
    sensor.compensation.reset()
    assert sensor.show(touch, samples=50) == pytest.approx(touch)


def test_smoothing_follows_with_its_time_constant():
    sensor = Sensor(smoothing=0.1)
    sensor.stand(PROFILE.start)
    sensor.show(samples=TARE_SAMPLES + 1)
    touch = np.array([0.0, 10.0, 0.0, 0.0, 0.0, 0.0])
    assert sensor.show(touch)[1] == pytest.approx(10.0 * PERIOD / (PERIOD + 0.1))
    assert sensor.show(touch, samples=100)[1] == pytest.approx(10.0, rel=1e-3)
