"""The FollowJointTrajectory action in front of the trajectory controller."""

from __future__ import annotations

from control_msgs.action import FollowJointTrajectory
from rclpy.action.server import ServerGoalHandle

from ams_ros.nodes.conversions import seconds_of
from ams_ros.nodes.plant_action_server import PlantActionServer
from ams_ros.nodes.robot_messages import feedback_message, tolerance_request, trajectory_record
from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.faults.fault import CANCELS, GOALS
from ams_ros.simulation.trajectory import Trajectory
from ams_ros.simulation.trajectory_controller import ErrorCode, GoalEnd, GoalStatus


class FollowJointTrajectoryServer(PlantActionServer[GoalEnd]):
    """Takes, replaces, cancels and reports goals as joint_trajectory_controller does."""

    KIND = FollowJointTrajectory

    def _record(self, goal: FollowJointTrajectory.Goal) -> Trajectory:
        stamp = seconds_of(goal.trajectory.header.stamp)
        return trajectory_record(goal.trajectory, self._thread.pace.simulation_time(stamp) if stamp else 0.0)

    def _reason_to_reject(self, goal: FollowJointTrajectory.Goal) -> str | None:
        loop = self._thread.wait_built(timeout=0.0)
        if loop.refuses(GOALS):
            return "a fault makes the controller refuse goals, or the driver is restarting"
        reason = loop.arm.reason_to_reject(self._record(goal), self._thread.time)
        if reason is None and goal.multi_dof_trajectory.points:
            return "multi_dof_trajectory is not supported"
        return reason

    def _refuses_cancel(self) -> bool:
        return self._thread.wait_built(timeout=0.0).refuses(CANCELS)

    def _begin(self, loop: ControlLoop, handle: ServerGoalHandle) -> None:
        if not loop.arm.active:
            self._ledger.refuse(handle, self._aborted("The controller was deactivated before the goal began."))
            return
        trajectory, tolerances = self._record(handle.request), tolerance_request(handle.request)
        number, complaint = loop.arm.accept(trajectory, tolerances, loop.plant.time)
        self._ledger.begin(handle, number)
        if complaint is not None:
            self._logger.error(complaint)

    def _stop(self, loop: ControlLoop, number: int) -> None:
        loop.cancel_arm(number)

    def _status(self, end: GoalEnd) -> GoalStatus:
        if end.status is GoalStatus.ABORTED:
            self._logger.warning(end.message)
        return end.status

    def _result(self, end: GoalEnd) -> FollowJointTrajectory.Result:
        return FollowJointTrajectory.Result(error_code=int(end.error_code), error_string=end.message)

    def _aborted(self, reason: str) -> GoalEnd:
        return GoalEnd(0, GoalStatus.ABORTED, ErrorCode.INVALID_GOAL, reason)

    # In the plant's thread.

    def report(self, loop: ControlLoop) -> None:
        """Send what the controller has to tell; at every update."""
        if loop.arm_silent:
            return
        feedback, ends = loop.monitor_arm()
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
