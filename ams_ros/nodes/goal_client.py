"""An action client for a thread that is not the executor's."""

from __future__ import annotations

import threading
from typing import Any

from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.node import Node
from rclpy.task import Future
from unique_identifier_msgs.msg import UUID


class GoalClient(ActionClient):
    """Loses no answer, whichever thread asks.

    rclpy's own client takes down what it waits for after the question has left (rclpy issue 1123, mended in later
    versions than many have). An answer that the executor takes in between is thrown away as unexpected, and nobody ever
    hears that the goal was accepted, canceled or has ended. Here no answer is taken while a question is being sent.
    """

    def __init__(self, node: Node, kind: Any, name: str) -> None:
        """Create it on `node`, for the action `name` of type `kind`."""
        self._asking = threading.Lock()
        super().__init__(node, kind, name)

    def take_data(self) -> Any:
        """Take what has arrived; on the executor's thread."""
        with self._asking:
            return super().take_data()

    def send_goal_async(self, *arguments: Any, **named: Any) -> Future:
        """Send a goal, as rclpy does."""
        with self._asking:
            return super().send_goal_async(*arguments, **named)

    def _cancel_goal_async(self, goal_handle: ClientGoalHandle) -> Future:
        with self._asking:
            return super()._cancel_goal_async(goal_handle)

    def _get_result_async(self, goal_handle: ClientGoalHandle) -> Future:
        with self._asking:
            return super()._get_result_async(goal_handle)

    def unanswered(self, identifier: UUID) -> ClientGoalHandle:
        """A handle of a goal that the server may have taken without its answer arriving here: to cancel it by."""
        return ClientGoalHandle(self, identifier, None)
