"""What is asked of a robot's driver by service: a restart, and the stop of an arm that understands no cancel."""

from __future__ import annotations

import time

from rclpy.action.client import ClientGoalHandle

from ams_ros.errors import RobotError
from ams_ros.nodes.goal_call import cancel, wait_for
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.service_requests import answer_of, service_request, service_type
from ams_ros.robot.driver import DriverProfile, RestCriterion, ServiceCall
from ams_ros.types import StopStage


class DriverCalls:
    """The services that a driver file names; `restart` blocks, and belongs into the task's thread."""

    def __init__(self, node: AmsNode, driver: DriverProfile) -> None:
        """Raises ConfigurationError when the driver names a service whose type is not installed or cannot be asked."""
        self._driver = driver
        self._cancels = any(step.stage is StopStage.CANCEL for step in driver.stop)
        self._stop = next((step.call for step in driver.stop if step.call is not None), None)
        calls = [step.call for step in driver.restart]
        if self._stop is not None and not self._cancels:
            calls.append(self._stop)
        self._clients = {call: node.create_client(service_type(call), call.service) for call in calls}
        self._requests = {call: service_request(call) for call in calls}

    @property
    def rest(self) -> RestCriterion:
        """When the arm counts as standing still."""
        return self._driver.rest

    def halt(self, goal: ClientGoalHandle) -> None:
        """Ask for the end of a goal: by a cancel where the stop ladder has that rung, else by the driver's own stop."""
        if self._cancels:
            cancel(goal)
        elif self._stop is not None:
            self._clients[self._stop].call_async(self._requests[self._stop])

    def restart(self) -> None:
        """Go through the restart steps, however long they take up to their deadlines.

        A restart that was begun is not broken off. Raises RobotError, with what a person must do, when one of them
        fails or there are none.
        """
        if not self._driver.restart:
            raise RobotError(f"this driver cannot restart the robot. {self._driver.by_hand}")
        for step in self._driver.restart:
            refusal = self._refusal(step.call, step.deadline)
            if refusal:
                raise RobotError(f"the restart failed: {refusal}. {self._driver.by_hand}")
            time.sleep(step.settle)

    def _refusal(self, call: ServiceCall, deadline: float) -> str:
        """Why the call was not carried out; empty when it was."""
        client = self._clients[call]
        if not client.service_is_ready():
            return f"{client.srv_name} is not there"
        future = client.call_async(self._requests[call])
        if not wait_for(future, deadline):
            client.remove_pending_request(future)
            return f"{client.srv_name} did not answer within {deadline:g} s"
        done, message = answer_of(call, future.result())
        return "" if done else f"{client.srv_name} refused: {message or 'it gives no reason'}"
