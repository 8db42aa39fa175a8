"""One goal of the arm, from being announced to its end or its stop, whoever stopped it."""

from __future__ import annotations

from typing import Any

from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from ams_ros.errors import RobotError
from ams_ros.exception.plan import MotionPlan
from ams_ros.nodes.controllers import Controllers, RobotLimits
from ams_ros.nodes.conversions import to_duration
from ams_ros.nodes.exception_conversions import goal_message
from ams_ros.nodes.goal_call import GoalCall
from ams_ros.nodes.monitor_link import MonitorLink
from ams_ros.robot.stop_request import StopRequest
from ams_ros.supervision.protocols import Clock
from ams_ros.types import ActionException, Execution

_ERROR_NAMES = {
    FollowJointTrajectory.Result.INVALID_GOAL: "INVALID_GOAL",
    FollowJointTrajectory.Result.INVALID_JOINTS: "INVALID_JOINTS",
    FollowJointTrajectory.Result.OLD_HEADER_TIMESTAMP: "OLD_HEADER_TIMESTAMP",
    FollowJointTrajectory.Result.PATH_TOLERANCE_VIOLATED: "PATH_TOLERANCE_VIOLATED",
    FollowJointTrajectory.Result.GOAL_TOLERANCE_VIOLATED: "GOAL_TOLERANCE_VIOLATED",
}


class GuardedGoals:
    """Sends trajectories to the arm one after the other, and says what became of each; blocks."""

    def __init__(
        self, controllers: Controllers, monitor: MonitorLink, joint_names: tuple[str, ...], limits: RobotLimits
    ) -> None:
        """joint_names: of the arm, in the order of a plan's columns."""
        self._controllers, self._monitor = controllers, monitor
        self._joint_names, self._limits = joint_names, limits

    def run(self, plan: MotionPlan, clock: Clock, stop: StopRequest, *, announced: bool) -> Execution:
        """Send the plan's goal and return when it has ended, or soon after it was stopped.

        announced: tell the monitor of the plan first, and go no further without a monitor. clock: the robot's time, in
        which trajectories run. Raises RobotError when the controller refuses, or does not confirm an end.
        """
        told = self._monitor.told
        ending = _Ending(self._monitor, told, stop, needed=announced)
        if announced:
            self._monitor.announce(plan)
        goal = GoalCall(
            self._controllers.arm,
            self._trajectory(plan),
            self._controllers.arm_name,
            identifier=goal_message(plan.goal),
            halt=self._controllers.driver.halt,
        )
        try:
            accepted = goal.accept(self._limits.server, ending)
        except RobotError:
            # A controller may refuse because of what the monitor did to it.
            exception = self._monitor.wait_exception(told)
            if exception is None:
                raise
            return _stopped(0, exception)
        if not accepted:
            return self._broken_off(goal, 0, ending)
        started, timeout = clock.now(), plan.steps * plan.period + self._limits.margin
        response = goal.end(timeout, ending)
        if response is not None and response.status == GoalStatus.STATUS_SUCCEEDED:
            return Execution(plan.steps, True)
        steps = max(0, min(plan.steps, int((clock.now() - started) / plan.period)))
        if response is not None:
            exception = self._monitor.wait_exception(told)
            return _stopped(steps, exception) if exception else Execution(steps, False, self._how(response))
        if not ending.come:
            goal.cancel(self._limits.cancel)
            raise RobotError(
                f"{self._controllers.arm_name} gave no result within {timeout:.2f} s for a trajectory of "
                f"{plan.steps * plan.period:.2f} s; it was canceled"
            )
        return self._broken_off(goal, steps, ending)

    def _broken_off(self, goal: GoalCall, steps: int, ending: _Ending) -> Execution:
        """Somebody wants the goal to end that has not ended yet."""
        exception = ending.exception
        if exception is None:
            goal.cancel(self._limits.cancel)
            exception = ending.exception
        elif exception.stopped:
            # At rest, with no goal left: its result is under way.
            goal.cancel(self._limits.cancel)
        if exception is not None:
            return _stopped(steps, exception)
        return Execution(steps, False, ending.reason)

    def _how(self, response: Any) -> str:
        result = response.result
        status = {GoalStatus.STATUS_CANCELED: "canceled", GoalStatus.STATUS_ABORTED: "aborted"}
        how = status.get(response.status, f"ended with status {response.status}")
        why = " ".join(filter(None, (_ERROR_NAMES.get(result.error_code, ""), result.error_string)))
        return f"{self._controllers.arm_name} {how} the trajectory{': ' if why else ''}{why}"

    def _trajectory(self, plan: MotionPlan) -> FollowJointTrajectory.Goal:
        points = [
            JointTrajectoryPoint(positions=row.tolist(), time_from_start=to_duration((index + 1) * plan.period))
            for index, row in enumerate(plan.joints)
        ]
        trajectory = JointTrajectory(joint_names=list(self._joint_names), points=points)
        return FollowJointTrajectory.Goal(trajectory=trajectory)


class _Ending:
    """Whatever ends a goal early: the task's stop, the monitor's word that it stopped it, or the monitor's own end."""

    def __init__(self, monitor: MonitorLink, told: int, stop: StopRequest, *, needed: bool) -> None:
        """told: exceptions before the goal. needed: whether the goal must not run without the monitor."""
        self._monitor, self._told, self._stop, self._needed = monitor, told, stop, needed
        self._absence = ""

    @property
    def requested(self) -> bool:
        """Whether the goal is to end; the loss of the monitor is remembered even when it comes back."""
        if self._needed and not self._absence:
            self._absence = self._monitor.absence
        return self.come

    @property
    def come(self) -> bool:
        """The same without looking again whether the monitor is there."""
        return self._stop.requested or bool(self._absence) or self._monitor.told > self._told

    @property
    def exception(self) -> ActionException | None:
        """What the monitor stopped the goal for, as far as it told."""
        return self._monitor.since(self._told)

    @property
    def reason(self) -> str:
        """In words, when it was not the monitor that stopped the goal."""
        if self._stop.requested:
            return self._stop.reason
        return f"the arm was stopped, as nobody watched it any more. {self._absence}"


def _stopped(steps: int, exception: ActionException) -> Execution:
    return Execution(steps, False, exception.message, exception)
