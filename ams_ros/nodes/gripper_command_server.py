"""The GripperCommand action in front of the gripper controller."""

from __future__ import annotations

from control_msgs.action import GripperCommand
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from ams_ros.nodes.goal_ledger import GoalLedger
from ams_ros.nodes.handoff import Handoff
from ams_ros.nodes.plant_thread import PlantThread
from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.gripper_controller import GripperReport
from ams_ros.simulation.trajectory_controller import GoalStatus


class GripperCommandServer:
    """Drives the fingers; position is that of one finger, m. max_effort is not used: the drive's force is fixed."""

    def __init__(
        self,
        node: Node,
        action: str,
        thread: PlantThread,
        handoff: Handoff,
        *,
        result_timeout: float,
    ) -> None:
        """Offer the action; results can be asked for during `result_timeout` s after a goal's end."""
        self._thread, self._controller = thread, thread.wait_built(timeout=0.0).gripper
        self._logger = node.get_logger().get_child("gripper_command")
        self._ledger: GoalLedger[GripperReport] = GoalLedger(handoff)
        self._server = ActionServer(
            node,
            GripperCommand,
            action,
            execute_callback=self._execute,
            goal_callback=self._judge,
            handle_accepted_callback=self._accepted,
            cancel_callback=self._cancel,
            result_timeout=result_timeout,
        )

    # On the executor.

    def _judge(self, goal: GripperCommand.Goal) -> GoalResponse:
        reason = self._controller.reason_to_reject(goal.command.position)
        if reason is None:
            return GoalResponse.ACCEPT
        self._logger.error(f"goal rejected: {reason}")
        return GoalResponse.REJECT

    def _accepted(self, handle: ServerGoalHandle) -> None:
        self._ledger.open(handle)
        position = float(handle.request.command.position)

        def begin(loop: ControlLoop) -> None:
            if not loop.gripper.active:
                finger = float(loop.plant.joints().position[-1])
                self._ledger.refuse(handle, GripperReport(0, finger, 0.0, False, False, GoalStatus.ABORTED))
                return
            self._ledger.begin(handle, loop.gripper.accept(position, loop.plant.time))

        self._thread.post(begin)
        handle.execute()

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        def stop(loop: ControlLoop) -> None:
            number = self._ledger.number(handle)
            if number is not None:
                loop.gripper.cancel(number)

        self._thread.post(stop)
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> GripperCommand.Result:
        end: GripperReport = await self._ledger.ended(handle)
        if end.status is GoalStatus.SUCCEEDED:
            handle.succeed()
        elif end.status is GoalStatus.CANCELED:
            handle.canceled()
        else:
            handle.abort()
        self._ledger.close(handle)
        return GripperCommand.Result(
            position=end.position, effort=end.effort, stalled=end.stalled, reached_goal=end.reached_goal
        )

    # In the plant's thread.

    def report(self, loop: ControlLoop) -> None:
        """Send what the controller has to tell; at every update."""
        if loop.gripper.idle:
            return
        for report in loop.gripper.monitor(loop.plant.time):
            if report.status is not None:
                self._ledger.end(report.goal, report)
                continue
            handle = self._ledger.handle(report.goal)
            if handle is not None:
                handle.publish_feedback(
                    GripperCommand.Feedback(
                        position=report.position,
                        effort=report.effort,
                        stalled=report.stalled,
                        reached_goal=report.reached_goal,
                    )
                )

    # In the transition thread.

    def close(self, reason: str) -> bool:
        """Abort what is still open, for `reason`, and wait until the results are out; whether they are."""
        self._logger.debug(f"closing: {reason}")
        self._ledger.end_all(GripperReport(0, 0.0, 0.0, False, False, GoalStatus.ABORTED))
        return self._ledger.drain(timeout=2.0)
