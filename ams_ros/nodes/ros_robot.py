"""A robot behind ROS, with the exception monitor in front of it: joint states in, announced goals out."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import numpy as np
from control_msgs.action import GripperCommand
from geometry_msgs.msg import WrenchStamped
from sensor_msgs.msg import JointState

from ams_ros.errors import RobotError
from ams_ros.exception.guard_state import LATCHED as NOTHING_MOVES
from ams_ros.exception.plan import recovery_plan, task_plan
from ams_ros.nodes.controllers import Controllers, RobotLimits
from ams_ros.nodes.conversions import joints_of, wrench_of
from ams_ros.nodes.goal_call import GoalCall
from ams_ros.nodes.guarded_goals import GuardedGoals
from ams_ros.nodes.monitor_link import MonitorLink
from ams_ros.robot.profile import RobotProfile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.robot.stretches import Stretch, cut_into_stretches
from ams_ros.supervision.protocols import Clock
from ams_ros.types import ActionException, ActionSlice, Execution, Float64Array, JointSample, TaskRequest, WrenchSample

_POLL_SECONDS = 0.01
_STILL_SECONDS = 0.2
"""So long no joint must have moved for the arm to count as still; a monitor has noticed it by then."""


class RosRobot:
    """Implements robot.recoverable.RecoverableRobot, one task after the other.

    Its methods block and belong into the task's thread. In the modes exception and ams every goal is announced to the
    monitor before it is sent, and none is sent without a monitor. In the other modes nothing is announced and no
    monitor needed; one that is there and stops the arm is heard in every mode.
    """

    def __init__(
        self,
        controllers: Controllers,
        monitor: MonitorLink,
        profile: RobotProfile,
        limits: RobotLimits,
        clock: Clock,
    ) -> None:
        """clock: the robot's time, in which trajectories run."""
        self._controllers, self._monitor = controllers, monitor
        self._limits, self._clock = limits, clock
        self._goals = GuardedGoals(controllers, monitor, profile.joint_names, limits)
        self._joint_names = (*profile.joint_names, profile.gripper.joint)
        self._announces = self._listened = False
        self._forget()

    def _forget(self) -> None:
        self._slice = -1
        self._commanded: float | None = None
        self._gripper_goal: GoalCall | None = None

    def begin_task(self, request: TaskRequest, stop: StopRequest) -> None:
        """A task begins. A stop left in force that needs no person is lifted.

        Raises RobotError when a person must acknowledge one first, when a mode that needs an active monitor finds none,
        or when a controller is not there.
        """
        mode = request.mode
        self._forget()
        self._announces = mode.guarded
        self._listened = mode.guarded or mode.replayed or bool(request.task)
        if self._announces:
            self._monitor.require(mode, stop)
        self._monitor.lift_leftover(stop)
        self._controllers.meet(self._limits.server, stop)

    def end_task(self) -> None:
        """The task is over; listeners hear nothing until the next one that is to be listened to."""
        self._announces = self._listened = False

    # robot.protocol.Robot

    def joints(self) -> JointSample:
        """The latest arm joints and, last, the gripper joint; raises RobotError when they are silent or incomplete."""
        latest = self._controllers.joints
        while (silence := latest.silence(self._limits.max_age)) is None and latest.message is None:
            time.sleep(_POLL_SECONDS)
        if silence is not None:
            raise RobotError(silence)
        return joints_of(latest.message, self._joint_names)

    def execute(self, action_slice: ActionSlice, stop: StopRequest) -> Execution:
        """Run the slice as one goal per stretch of equal gripper target; see the protocol."""
        self._controllers.wait_for_arm(self._limits.server, stop)
        self._controllers.wait_for_gripper(self._limits.server, stop)
        self._slice += 1
        execution = Execution(0, False)
        try:
            execution = self._run_all(action_slice, stop)
        finally:
            if not execution.completed:
                self._halt_gripper()
        return execution

    # robot.recoverable.RecoverableRobot

    def listen(self, listener: Callable[[JointSample], None]) -> None:
        """Have `listener` called with every joint sample of a task, on the executor's thread.

        Not of one that neither recovers nor replays, and of which nobody said what a job is.
        """

        def hear(message: JointState) -> None:
            if not self._listened:
                return
            try:
                sample = joints_of(message, self._joint_names)
            except (
                RobotError
            ):  # `joints` tells the task the same, and a gap in the record is noticed by the next sample
                return
            listener(sample)

        self._controllers.joints.listen(hear)

    def listen_wrench(self, listener: Callable[[WrenchSample], None]) -> None:
        """The same with every sample of the wrist sensor; never, when the driver file names none."""

        def hear(message: WrenchStamped) -> None:
            if self._listened:
                listener(wrench_of(message))

        if self._controllers.wrench is not None:
            self._controllers.wrench.listen(hear)

    def release(self, exception: ActionException, *, recovery: bool) -> ActionException | None:
        """Lift the stop of `exception`; see the protocol."""
        return self._monitor.release(exception.number, recovery=recovery)

    def follow(self, joints: Float64Array, period: float, stop: StopRequest) -> Execution:
        """Run a recovery motion or a way back to the start pose; see the protocol.

        To a monitor both are recoveries: watched at reduced thresholds, and led to their end without the inference
        node, as they lead to where the arm may stay.
        """
        self._controllers.wait_for_arm(self._limits.server, stop)
        hindered = self._hindered(stop)
        if hindered is not None:
            return hindered
        plan = recovery_plan(uuid.uuid4().hex, joints, period, self._measured())
        return self._goals.run(plan, self._clock, stop, announced=self._announces)

    def restart(self, stop: StopRequest) -> None:
        """Go through the driver's restart steps; once begun, `stop` does not break them off."""
        # A driver falls silent while it restarts, and a moving arm that falls silent is a crash to the monitor.
        self._wait_still(stop)
        self._controllers.driver.restart()

    def _wait_still(self, stop: StopRequest) -> None:
        rest = self._controllers.driver.rest
        deadline = time.monotonic() + rest.deadline + _STILL_SECONDS
        last = self.joints()
        still_since = last.stamp
        while last.stamp - still_since < _STILL_SECONDS:
            if stop.wait(_POLL_SECONDS):
                raise RobotError(f"the robot was not restarted: {stop.reason}")
            if time.monotonic() > deadline:
                raise RobotError(
                    f"the robot was not restarted, as it does not come to rest below {rest.velocity} rad/s"
                )
            sample = self.joints()
            if _speed(last, sample) > rest.velocity:
                still_since = sample.stamp
            last = sample

    # One slice.

    def _run_all(self, action_slice: ActionSlice, stop: StopRequest) -> Execution:
        steps = 0
        for stretch in cut_into_stretches(action_slice, self._commanded):
            part = self._hindered(stop) or self._run(stretch, action_slice, steps, stop)
            steps += part.steps
            if not part.completed:
                return Execution(steps, False, part.message, part.exception)
        return Execution(steps, True)

    def _hindered(self, stop: StopRequest) -> Execution | None:
        """Why nothing can be sent now; None when it can.

        What is sent while a stop is in force is stopped too, so a stop not heard of yet is only met later.
        """
        if stop.requested:
            return Execution(0, False, stop.reason)
        absence = self._monitor.absence if self._announces else ""
        if absence:
            return Execution(0, False, f"nothing more is moved, as nobody watches the arm. {absence}")
        standing = self._monitor.standing
        if standing is None or standing.state not in NOTHING_MOVES:
            return None
        exception = self._monitor.wait_exception(self._monitor.told)
        if exception is None and (standing := self._monitor.standing) is not None:
            return Execution(0, False, standing.message) if standing.state in NOTHING_MOVES else None
        return Execution(0, False, exception.message, exception) if exception is not None else None

    def _run(self, stretch: Stretch, action_slice: ActionSlice, first_step: int, stop: StopRequest) -> Execution:
        before = self._commanded
        if stretch.gripper is not None:
            self._command_gripper(stretch.gripper, stop)
            if stop.requested:
                return Execution(0, False, stop.reason)
        plan = task_plan(
            uuid.uuid4().hex,
            action_slice,
            stretch,
            number=self._slice,
            first_step=first_step,
            begin=self._measured(),
            gripper=before,
        )
        return self._goals.run(plan, self._clock, stop, announced=self._announces)

    def _measured(self) -> Float64Array:
        return self.joints().position[:-1]

    # The gripper.

    def _command_gripper(self, target: float, stop: StopRequest) -> None:
        command = GripperCommand.Goal()
        command.command.position = target
        goal = GoalCall(self._controllers.gripper, command, self._controllers.gripper_name)
        self._gripper_goal, self._commanded = goal, target
        goal.accept(self._limits.server, stop)

    def _halt_gripper(self) -> None:
        """Cancel a gripper goal under way; one that has ended keeps its grip."""
        if self._gripper_goal is not None:
            self._gripper_goal.cancel(self._limits.cancel)
        self._gripper_goal, self._commanded = None, None


def _speed(last: JointSample, sample: JointSample) -> float:
    """Of the fastest arm joint, rad/s: measured, or by the change since the last sample; 0 for the same sample."""
    if sample.stamp == last.stamp:
        return 0.0
    if sample.velocity is not None:
        return float(np.abs(sample.velocity[:-1]).max())
    return float(np.abs(sample.position - last.position)[:-1].max() / abs(sample.stamp - last.stamp))
