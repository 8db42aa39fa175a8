"""What the supervisor asks of drivers by service: restarts, and stops where a cancel must not be sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from control_msgs.action import FollowJointTrajectory
from ros_probe import Probe, wait_until
from slow_controller import ACTION, SlowController
from std_srvs.srv import Empty, Trigger

from ams_ros.errors import RobotError
from ams_ros.nodes.driver_calls import DriverCalls
from ams_ros.robot.driver import DriverProfile, RestartStep
from ams_ros.robot.driver_file import load_driver

pytestmark = pytest.mark.integration


class Driver(Probe):
    """Offers the services that driver files name, and notes who was called."""

    def __init__(self) -> None:
        super().__init__("some_driver")
        self.called: list[str] = []
        self.works = True
        self.node.create_service(Empty, "/jaka_driver/stop_move", self._stop)
        self.node.create_service(Trigger, "simulated_robot/restart", self._restart)

    def _stop(self, request: Empty.Request, response: Empty.Response) -> Empty.Response:
        self.called.append("stop_move")
        return response

    def _restart(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.called.append("restart")
        response.success, response.message = self.works, "" if self.works else "the power is off"
        return response


@pytest.fixture
def driver(domain) -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.close()


@pytest.fixture
def arm(domain) -> Iterator[SlowController]:
    arm = SlowController()
    arm.answer.set()
    yield arm
    arm.close()


def calls_of(probe: Probe, profile: DriverProfile) -> DriverCalls:
    """The calls, once their services are there."""
    calls = DriverCalls(probe.node, profile)
    for client in probe.node.clients:
        wait_until(client.service_is_ready, f"{client.srv_name} appears")
    return calls


def simulated(settle: float = 0.0) -> DriverProfile:
    profile = load_driver("simulated_widowx")
    return replace(profile, restart=tuple(replace(step, settle=settle) for step in profile.restart))


def send_goal(probe: Probe, arm: SlowController):
    handle = probe.send_goal(FollowJointTrajectory, ACTION, FollowJointTrajectory.Goal())
    assert handle.accepted
    return handle


def test_an_arm_whose_driver_must_not_be_sent_a_cancel_is_stopped_by_the_drivers_own_service_e7(probe, driver, arm):
    handle = send_goal(probe, arm)
    calls_of(probe, load_driver("jaka_s5")).halt(handle)
    wait_until(lambda: driver.called == ["stop_move"], "the driver's own stop is called")
    assert not arm.canceled.is_set()
    # Only now, so that the goal ends; a cancel that had been sent would have come before it.
    calls_of(probe, simulated()).halt(handle)
    assert arm.canceled.wait(10.0)
    assert driver.called == ["stop_move"]


def test_a_restart_goes_through_its_steps_and_says_what_a_person_must_do_when_one_fails_e5(probe, driver):
    calls = calls_of(probe, simulated())
    calls.restart()
    assert driver.called == ["restart"]
    driver.works = False
    with pytest.raises(RobotError, match=r"refused: the power is off.*Restart the node simulated_robot"):
        calls.restart()


def test_a_driver_without_restart_steps_asks_for_a_person_e5(probe):
    with pytest.raises(RobotError, match=r"cannot restart the robot.*Clear the error in the JAKA App"):
        DriverCalls(probe.node, load_driver("jaka_s5")).restart()


def test_a_restart_whose_service_is_not_there_fails_by_its_name_e5(probe):
    (step,) = simulated().restart
    nowhere = RestartStep(replace(step.call, service="/nowhere/restart"), step.deadline, step.settle)
    with pytest.raises(RobotError, match="/nowhere/restart is not there"):
        DriverCalls(probe.node, replace(simulated(), restart=(nowhere,))).restart()
