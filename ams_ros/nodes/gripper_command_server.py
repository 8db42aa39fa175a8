"""The GripperCommand action in front of the gripper controller."""

from __future__ import annotations

from typing import Any

from control_msgs.action import GripperCommand
from rclpy.action.server import ServerGoalHandle

from ams_ros.nodes.plant_action_server import PlantActionServer
from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.gripper_controller import GripperReport
from ams_ros.simulation.trajectory_controller import GoalStatus


class GripperCommandServer(PlantActionServer[GripperReport]):
    """Drives the fingers; position is that of one finger, m. max_effort is not used: the drive's force is fixed."""

    KIND = GripperCommand

    def _reason_to_reject(self, goal: GripperCommand.Goal) -> str | None:
        return self._thread.wait_built(timeout=0.0).gripper.reason_to_reject(goal.command.position)

    def _begin(self, loop: ControlLoop, handle: ServerGoalHandle) -> None:
        if not loop.gripper.active:
            finger = float(loop.plant.joints().position[-1])
            self._ledger.refuse(handle, GripperReport(0, finger, 0.0, False, False, GoalStatus.ABORTED))
            return
        position = float(handle.request.command.position)
        self._ledger.begin(handle, loop.gripper.accept(position, loop.plant.time))

    def _stop(self, loop: ControlLoop, number: int) -> None:
        loop.gripper.cancel(number)

    def _status(self, end: GripperReport) -> GoalStatus:
        assert end.status is not None, "a report without a status is feedback"
        return end.status

    def _result(self, end: GripperReport) -> GripperCommand.Result:
        return _filled(GripperCommand.Result, end)

    def _aborted(self, reason: str) -> GripperReport:
        self._logger.debug(f"aborting: {reason}")
        return GripperReport(0, 0.0, 0.0, False, False, GoalStatus.ABORTED)

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
                handle.publish_feedback(_filled(GripperCommand.Feedback, report))


def _filled(kind: Any, report: GripperReport) -> Any:
    """Result and feedback carry the same four fields."""
    return kind(
        position=report.position, effort=report.effort, stalled=report.stalled, reached_goal=report.reached_goal
    )
