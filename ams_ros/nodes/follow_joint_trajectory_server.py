"""The FollowJointTrajectory action in front of the trajectory controller."""

from __future__ import annotations

from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from ams_ros.nodes.conversions import seconds_of
from ams_ros.nodes.goal_ledger import GoalLedger
from ams_ros.nodes.handoff import Handoff
from ams_ros.nodes.plant_thread import PlantThread
from ams_ros.nodes.robot_messages import feedback_message, tolerance_request, trajectory_record
from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.trajectory import Trajectory
from ams_ros.simulation.trajectory_controller import ErrorCode, GoalEnd, GoalStatus


class FollowJointTrajectoryServer:
    """Takes, replaces, cancels and reports goals as joint_trajectory_controller does.

    Goals are judged on the executor and run in the plant's thread; results leave on the executor again.
    """

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
        self._thread, self._controller = thread, thread.wait_built(timeout=0.0).arm
        self._logger = node.get_logger().get_child("follow_joint_trajectory")
        self._ledger: GoalLedger[GoalEnd] = GoalLedger(handoff)
        self._server = ActionServer(
            node,
            FollowJointTrajectory,
            action,
            execute_callback=self._execute,
            goal_callback=self._judge,
            handle_accepted_callback=self._accepted,
            cancel_callback=self._cancel,
            result_timeout=result_timeout,
        )

    # On the executor.

    def _record(self, goal: FollowJointTrajectory.Goal) -> Trajectory:
        stamp = seconds_of(goal.trajectory.header.stamp)
        return trajectory_record(goal.trajectory, self._thread.pace.simulation_time(stamp) if stamp else 0.0)

    def _judge(self, goal: FollowJointTrajectory.Goal) -> GoalResponse:
        reason = self._controller.reason_to_reject(self._record(goal), self._thread.time)
        if reason is None and goal.multi_dof_trajectory.points:
            reason = "multi_dof_trajectory is not supported"
        if reason is None:
            return GoalResponse.ACCEPT
        self._logger.error(f"goal rejected: {reason}")
        return GoalResponse.REJECT

    def _accepted(self, handle: ServerGoalHandle) -> None:
        self._ledger.open(handle)
        trajectory, tolerances = self._record(handle.request), tolerance_request(handle.request)

        def begin(loop: ControlLoop) -> None:
            if not loop.arm.active:
                message = "The controller was deactivated before the goal began."
                self._ledger.refuse(handle, GoalEnd(0, GoalStatus.ABORTED, ErrorCode.INVALID_GOAL, message))
                return
            number, complaint = loop.arm.accept(trajectory, tolerances, loop.plant.time)
            self._ledger.begin(handle, number)
            if complaint is not None:
                self._logger.error(complaint)

        self._thread.post(begin)
        handle.execute()

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        def stop(loop: ControlLoop) -> None:
            number = self._ledger.number(handle)
            if number is not None:
                loop.arm.cancel(number)

        self._thread.post(stop)
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> FollowJointTrajectory.Result:
        end: GoalEnd = await self._ledger.ended(handle)
        if end.status is GoalStatus.SUCCEEDED:
            handle.succeed()
        elif end.status is GoalStatus.CANCELED:
            handle.canceled()
        else:
            handle.abort()
            self._logger.warning(end.message)
        self._ledger.close(handle)
        return FollowJointTrajectory.Result(error_code=int(end.error_code), error_string=end.message)

    # In the plant's thread.

    def report(self, loop: ControlLoop) -> None:
        """Send what the controller has to tell; at every update."""
        if loop.arm.idle:
            return
        feedback, ends = loop.arm.monitor(loop.plant.time)
        if feedback is not None:
            handle = self._ledger.handle(feedback.goal)
            if handle is not None:
                stamp = self._thread.pace.stamp(feedback.stamp)
                handle.publish_feedback(feedback_message(feedback, loop.arm.settings.joint_names, stamp))
        self.tell(ends)

    def tell(self, ends: tuple[GoalEnd, ...]) -> None:
        """Pass on how goals ended."""
        for end in ends:
            self._ledger.end(end.goal, end)

    # In the transition thread.

    def close(self, reason: str) -> bool:
        """Abort what is still open and wait until the results are out; whether they are."""
        self._ledger.end_all(GoalEnd(0, GoalStatus.ABORTED, ErrorCode.INVALID_GOAL, reason))
        return self._ledger.drain(timeout=2.0)
