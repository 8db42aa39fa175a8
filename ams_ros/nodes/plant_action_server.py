"""An action in front of a controller that runs in the plant's thread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from ams_ros.nodes.goal_ledger import GoalLedger
from ams_ros.nodes.handoff import Handoff
from ams_ros.nodes.plant_thread import PlantThread
from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.trajectory_controller import GoalStatus

End = TypeVar("End")


class PlantActionServer(ABC, Generic[End]):
    """Goals are judged on the executor and run in the plant's thread; results leave on the executor again.

    A server says how a goal is judged, begun and canceled, and what its result is; a cancel is accepted unless it says
    otherwise.
    """

    KIND: Any
    """The action's type."""

    def __init__(
        self, node: Node, action: str, thread: PlantThread, handoff: Handoff, *, result_timeout: float
    ) -> None:
        """Offer the action; results can be asked for during `result_timeout` s after a goal's end."""
        self._thread = thread
        self._logger = node.get_logger().get_child(action.rpartition("/")[2])
        self._ledger: GoalLedger[End] = GoalLedger(handoff)
        self._server = ActionServer(
            node,
            self.KIND,
            action,
            execute_callback=self._execute,
            goal_callback=self._judge,
            handle_accepted_callback=self._accepted,
            cancel_callback=self._cancel,
            result_timeout=result_timeout,
        )

    # What a server fills.

    @abstractmethod
    def _reason_to_reject(self, goal: Any) -> str | None:
        """Why a goal cannot be taken; None when it can. On the executor."""

    def _refuses_cancel(self) -> bool:
        """Whether cancel requests are refused now. On the executor."""
        return False

    @abstractmethod
    def _begin(self, loop: ControlLoop, handle: ServerGoalHandle) -> None:
        """Give an accepted goal to the controller and its number to the ledger. In the plant's thread."""

    @abstractmethod
    def _stop(self, loop: ControlLoop, number: int) -> None:
        """Cancel the goal of that number. In the plant's thread."""

    @abstractmethod
    def _status(self, end: End) -> GoalStatus:
        """How a goal ended."""

    @abstractmethod
    def _result(self, end: End) -> Any:
        """The action's result message."""

    @abstractmethod
    def _aborted(self, reason: str) -> End:
        """The end of a goal that is aborted for `reason` without the controller."""

    # On the executor.

    def _judge(self, goal: Any) -> GoalResponse:
        reason = self._reason_to_reject(goal)
        if reason is None:
            return GoalResponse.ACCEPT
        self._logger.error(f"goal rejected: {reason}")
        return GoalResponse.REJECT

    def _accepted(self, handle: ServerGoalHandle) -> None:
        self._ledger.open(handle)
        self._thread.post(lambda loop: self._begin(loop, handle))
        handle.execute()

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        if self._refuses_cancel():
            return CancelResponse.REJECT

        def stop(loop: ControlLoop) -> None:
            number = self._ledger.number(handle)
            if number is not None:
                self._stop(loop, number)

        self._thread.post(stop)
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> Any:
        end: End = await self._ledger.ended(handle)
        status = self._status(end)
        if status is GoalStatus.SUCCEEDED:
            handle.succeed()
        elif status is GoalStatus.CANCELED:
            handle.canceled()
        else:
            handle.abort()
        self._ledger.close(handle)
        return self._result(end)

    # In the transition thread.

    def close(self, reason: str) -> bool:
        """Abort what is still open, for `reason`, and wait until the results are out; whether they are."""
        self._ledger.end_all(self._aborted(reason))
        return self._ledger.drain(timeout=2.0)
