"""Faults, stop and restart of the simulated robot over DDS, as the exception monitor and its tests meet them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from ams_ros.srv import InjectFault, ResetScene
from control_msgs.action import FollowJointTrajectory
from geometry_msgs.msg import WrenchStamped
from ros_probe import Messages, Probe, wait_until
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectoryPoint

from ams_ros.nodes.conversions import seconds_of, to_duration
from ams_ros.robot.profile import load_profile

pytestmark = pytest.mark.integration

ARM = "/arm_controller/follow_joint_trajectory"
NODE = "/ams/simulated_robot"
PROFILE = load_profile("widowx_250s")


class Robot:
    """A running simulated robot with joint states and wrenches at 1000 Hz."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.joints: Messages = probe.listen(JointState, "/joint_states", 1000)
        self.wrenches: Messages = probe.listen(WrenchStamped, "/wrench", 1000)

    def inject(self, fault: str, **fields: object) -> InjectFault.Response:
        return self.probe.call(InjectFault, f"{NODE}/inject_fault", fault=fault, **fields)

    def trigger(self, service: str) -> Trigger.Response:
        return self.probe.call(Trigger, f"{NODE}/{service}")

    def reset(self) -> None:
        assert self.probe.call(ResetScene, f"{NODE}/reset", task="cubes", objects=1, seed=0).success
        self.joints.all.clear()
        self.wrenches.all.clear()
        self.joints.wait_for(lambda _: True, "a joint state")

    def send(self, change: float, seconds: float):
        goal = FollowJointTrajectory.Goal()
        goal.trajectory.joint_names = list(PROFILE.joint_names)
        target = PROFILE.start + change * np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        goal.trajectory.points = [JointTrajectoryPoint(positions=target.tolist(), time_from_start=to_duration(seconds))]
        return self.probe.send_goal(FollowJointTrajectory, ARM, goal)

    def wait_moving(self) -> None:
        seen = len(self.joints.all)
        wait_until(lambda: any(abs(m.velocity[0]) > 0.1 for m in self.joints.all[seen:]), "the arm moves")

    def wait_still(self) -> None:
        seen = len(self.joints.all)

        def still() -> bool:
            recent = self.joints.all[seen:][-50:]
            return len(recent) == 50 and max(np.abs(m.velocity[:6]).max() for m in recent) < 0.01

        wait_until(still, "the arm holds still")


@pytest.fixture(scope="module")
def running(start_shared_node, probe) -> Robot:
    start_shared_node("simulated_robot", {"timestep": 0.001, "joint_state_rate": 1000.0})
    probe.bring_up(NODE)
    return Robot(probe)


@pytest.fixture
def robot(running) -> Iterator[Robot]:
    running.reset()
    yield running
    assert running.inject("none").success


def test_a_thousand_joint_states_come_in_a_simulated_second_none_twice(robot):
    wait_until(lambda: len(robot.joints.all) > 300, "300 joint states")
    stamps = np.array([seconds_of(message.header.stamp) for message in robot.joints.all])
    assert np.median(np.diff(stamps)) == pytest.approx(0.001, abs=1e-4)
    assert (np.diff(stamps) > 0.0).all()


def test_more_joint_states_than_physics_steps_are_refused_with_the_reason(robot):
    status = robot.probe.status(NODE)
    for transition in ("deactivate", "cleanup"):
        assert robot.probe.change(NODE, transition)
    assert robot.probe.set_parameters(NODE, timestep=0.002) == []
    assert not robot.probe.change(NODE, "configure")
    status.wait_for(lambda message: "joint_state_rate: got 1000.0" in message.message, "the reason")
    assert robot.probe.set_parameters(NODE, timestep=0.001) == []
    robot.probe.bring_up(NODE)


def test_a_push_is_felt_at_the_wrist_after_its_onset_and_for_its_duration(robot):
    assert robot.inject("push", onset=0.2, duration=0.2, magnitude=30.0, target="hand").success

    def strength(message: WrenchStamped) -> float:
        force = message.wrench.force
        return float(np.linalg.norm([force.x, force.y, force.z]))

    pushed = robot.wrenches.wait_for(lambda message: strength(message) > 15.0, "a push")
    begin = seconds_of(pushed.header.stamp)
    robot.wrenches.wait_for(
        lambda message: seconds_of(message.header.stamp) > begin + 0.5 and strength(message) < 10.0, "its end"
    )


def test_frozen_joint_states_repeat_stamp_and_content_while_the_arm_moves(robot):
    handle = robot.send(0.6, 1.0)
    robot.wait_moving()
    assert robot.inject("freeze_joint_states", duration=0.2).success

    def repeated() -> bool:
        recent = list(robot.joints.all)
        return sum(a.header.stamp == b.header.stamp for a, b in itertools.pairwise(recent)) > 100

    wait_until(repeated, "100 repeated joint states")
    assert robot.probe.result(handle).status == GoalStatus.STATUS_SUCCEEDED


def test_a_cancel_can_be_refused_or_accepted_and_ignored_and_the_drivers_stop_still_works(robot):
    assert robot.inject("refuse_cancel").success
    handle = robot.send(1.0, 6.0)
    robot.wait_moving()
    # rclpy servers leave the return code at 0 where others say ERROR_REJECTED.
    assert robot.probe.cancel(handle).goals_canceling == []
    assert robot.inject("none").success
    assert robot.inject("ignore_cancel").success
    wait_until(lambda: len(robot.probe.cancel(handle).goals_canceling) == 1, "the cancel is accepted")
    robot.wait_moving()
    assert robot.trigger("stop").success
    assert robot.probe.result(handle).status == GoalStatus.STATUS_ABORTED
    robot.wait_still()
    assert robot.joints.all[-1].position[0] < 0.9
    assert robot.send(0.0, 1.0).accepted


def test_a_driver_that_refuses_goals_too_takes_none(robot):
    assert robot.inject("refuse_cancel", target="goals").success
    wait_until(lambda: not robot.send(0.1, 0.2).accepted, "a goal is refused")


def test_a_restart_ends_the_goal_is_silent_answers_when_it_is_back_and_takes_goals_again(robot):
    handle = robot.send(1.0, 5.0)
    robot.wait_moving()
    robot.joints.all.clear()
    assert robot.trigger("restart").success
    assert robot.probe.result(handle).status == GoalStatus.STATUS_ABORTED
    robot.wait_still()
    stamps = np.array([seconds_of(message.header.stamp) for message in robot.joints.all])
    assert np.diff(stamps).max() > 0.9
    assert robot.probe.result(robot.send(0.0, 1.0)).status == GoalStatus.STATUS_SUCCEEDED


def test_an_unknown_fault_is_refused_with_what_there_is(robot):
    response = robot.inject("gremlin")
    assert not response.success
    assert "allowed: push, obstacle" in response.message
    assert response.message.endswith("none")
    assert "push.target" in robot.inject("push", target="foot").message
