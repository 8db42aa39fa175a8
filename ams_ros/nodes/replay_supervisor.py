"""The replay supervisor: the node a user asks to work on a task."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from geometry_msgs.msg import WrenchStamped
from rclpy.action import ActionServer, CancelResponse
from rclpy.qos import QoSProfile
from rclpy.task import Future
from sensor_msgs.msg import JointState

from ams_ros.action import RunTask
from ams_ros.errors import AmsError, ConfigurationError
from ams_ros.msg import TaskEvent as TaskEventMessage
from ams_ros.msg import TaskState
from ams_ros.nodes.controllers import Controllers, RobotLimits
from ams_ros.nodes.driver_calls import DriverCalls
from ams_ros.nodes.handoff import Handoff
from ams_ros.nodes.heartbeat import HeartbeatPublisher
from ams_ros.nodes.latest import Latest
from ams_ros.nodes.lifecycle import LATCHED, AmsNode
from ams_ros.nodes.monitor_link import MonitorLimits, MonitorLink
from ams_ros.nodes.parameters import Setting
from ams_ros.nodes.process import run_node
from ams_ros.nodes.recovery_settings import RECOVERY_SETTINGS, make_recovery
from ams_ros.nodes.replay_settings import REPLAY_SETTINGS
from ams_ros.nodes.ros_clock import RosClock
from ams_ros.nodes.ros_robot import RosRobot
from ams_ros.nodes.ros_slice_source import RosSliceSource
from ams_ros.nodes.task_messages import (
    event_message,
    feedback_message,
    result_message,
    state_message,
    task_request_of,
)
from ams_ros.nodes.task_replay import TaskReplay
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.embedded_planner import EmbeddedPlanner
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.srv import InferSlice
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop
from ams_ros.types import Outcome, Phase, TaskEvent, TaskRequest, TaskResult, TaskStatus

_REST = RestThresholds()

_EVERY_EVENT = QoSProfile(depth=100)
"""None of a task's timeline may get lost, as nobody tells it twice."""

_RESULT_TIMEOUT = 60
"""Seconds a result is kept for clients that ask late; rclpy's default of 15 minutes only holds memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A task under way. told: set once its end was told to the client."""

    request: TaskRequest
    goal: Any
    future: Future
    stop: StopRequest = field(default_factory=StopRequest)
    told: threading.Event = field(default_factory=threading.Event)


class ReplaySupervisor(AmsNode):
    """Serves the action ~/run_task, one task at a time, and tells on ~/state and ~/event where it stands.

    Every goal is accepted, because only a result carries text: one that cannot be run ends at once, aborted, with the
    outcome `failed` and the reason.
    """

    SETTINGS = (
        Setting("driver", "simulated_widowx", "driver file under config/drivers: the robot, its topics and actions"),
        Setting("joint_states_topic", "", "sensor_msgs/JointState of arm and gripper; empty: as the driver file says"),
        Setting("arm_action", "", "control_msgs/FollowJointTrajectory server; empty: as the driver file says"),
        Setting("gripper_action", "", "control_msgs/GripperCommand server; empty: as the driver file says"),
        Setting("infer_service", "inference/infer_slice", "InferSlice service; relative to this node's namespace"),
        Setting(
            "server_wait", 5.0, "wall time for a controller or the inference node to appear or answer, s", 0.1, 600.0
        ),
        Setting("infer_timeout", 10.0, "wall time for one slice to be inferred, s", 0.1, 600.0),
        Setting("execution_margin", 5.0, "wall time for a trajectory's result beyond its own duration, s", 0.1, 600.0),
        Setting("cancel_wait", 5.0, "wall time for a controller to confirm that it stopped, s", 0.1, 60.0),
        Setting("max_age", 1.0, "wall time the joint states may be silent, s", 0.01, 60.0),
        Setting("rest.arm", _REST.arm, "a slice that moves no arm joint by more, rad, counts as still", 1e-6, 1.0),
        Setting("rest.gripper", _REST.gripper, "the same for the finger, m", 1e-6, 0.1),
        Setting("rest.slices", _REST.slices, "so many still slices in a row end the task", 1, 1000),
        Setting("monitor", "exception_monitor", "name of the exception monitor; relative to this node's namespace"),
        Setting("monitor_silence", 1.0, "so long the monitor's heartbeat may be missing, wall time, s", 0.3, 60.0),
        Setting("explain_wait", 1.0, "wall time for the monitor to say that it stopped a motion, s", 0.1, 60.0),
        Setting("stop_wait", 10.0, "wall time for the monitor's stop to come to its end, s", 0.1, 600.0),
        *RECOVERY_SETTINGS,
        *REPLAY_SETTINGS,
    )

    def __init__(self) -> None:
        """Wait to be configured."""
        super().__init__("replay_supervisor")
        self._task: _Task | None = None
        self._ready = False

    def _setup(self) -> None:
        self._rest = RestThresholds(self.setting("rest.arm"), self.setting("rest.gripper"), self.setting("rest.slices"))
        self._limits = RobotLimits(
            server=self.setting("server_wait"),
            margin=self.setting("execution_margin"),
            cancel=self.setting("cancel_wait"),
            max_age=self.setting("max_age"),
        )
        driver = load_driver(self.setting("driver"))
        self._profile = load_profile(driver.robot)
        self._task_clock = RosClock(self)
        self._robot = self._make_robot(driver)
        surroundings = load_surroundings(self.setting("surroundings"))
        checker = ArmCollisionChecker(self._profile, surroundings)
        planner = EmbeddedPlanner(self._profile, checker)
        self._recovery = make_recovery(self, self._robot, planner, checker, driver)
        self._replay = TaskReplay(self, self._robot, planner, driver, surroundings)
        self._slices = self.create_client(InferSlice, self.setting("infer_service"))
        self._handoff = Handoff(self)
        self._queue: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._state = self.create_publisher(TaskState, "~/state", LATCHED)
        self._events = self.create_publisher(TaskEventMessage, "~/event", _EVERY_EVENT)
        self._server = ActionServer(
            self, RunTask, "~/run_task", self._execute, cancel_callback=self._cancel, result_timeout=_RESULT_TIMEOUT
        )
        HeartbeatPublisher(self)

    def _make_robot(self, driver: DriverProfile) -> RosRobot:
        topic = self.setting("joint_states_topic") or driver.joint_states.topic
        gripper_action = self.setting("gripper_action") or driver.gripper_action
        if not gripper_action:
            raise ConfigurationError("gripper_action", "", f"a name, as driver {driver.name} has none")
        controllers = Controllers(
            self,
            self.setting("arm_action") or driver.arm_action,
            gripper_action,
            Latest(self, JointState, topic, "joint states"),
            DriverCalls(self, driver),
            wrench=Latest(self, WrenchStamped, driver.wrench.topic, "wrench") if driver.wrench else None,
        )
        limits = MonitorLimits(
            appear=self.setting("server_wait"),
            explain=self.setting("explain_wait"),
            stop=self.setting("stop_wait"),
            silence=self.setting("monitor_silence"),
        )
        monitor = MonitorLink(self, self.setting("monitor"), self._profile.joint_names, limits)
        return RosRobot(controllers, monitor, self._profile, self._limits, self._task_clock)

    def _activate(self) -> None:
        self.start_thread("task", self._work)
        # After the task's, so that it is stopped after it and has the last attempt to tell.
        self.start_thread("job book", self._replay.work)
        self._ready = True

    def _deactivate(self, reason: str) -> None:
        self._ready = False
        task = self._task
        if task is None:
            return
        task.stop.request(reason)
        # A stop may find a motion being planned, which nothing breaks off, and take one cancel each of arm and gripper;
        # the executor spins on meanwhile.
        planning = max(self.setting("recovery.plan_timeout"), self.setting("replay.return.plan_timeout"))
        patience = 2.0 * (self._limits.cancel + self._limits.server) + planning
        if not task.told.wait(patience):
            raise AmsError(f"the running task did not end within {patience} s after: {reason}")

    # On the executor's thread.

    async def _execute(self, goal: Any) -> RunTask.Result:
        try:
            task = self._begin(goal)
        except AmsError as error:
            self.get_logger().warning(f"task refused: {error}")
            goal.abort()
            return result_message(_failed(str(error)), "")
        self._queue.put(task)
        result: TaskResult = await task.future
        if result.outcome is Outcome.CANCELED and goal.is_cancel_requested:
            goal.canceled()
        elif result.outcome in (Outcome.CANCELED, Outcome.FAILED):
            goal.abort()
        else:
            goal.succeed()
        self.get_logger().info(f"task ended, {result.outcome.value}: {result.message}")
        self._task = None
        task.told.set()
        return result_message(result, task.request.episode)

    def _begin(self, goal: Any) -> _Task:
        """Take the goal as the running task; raises AmsError saying why it cannot be."""
        if not self._ready:
            raise AmsError(f"the supervisor is {self.state_label}: activate it")
        if self._task is not None:
            running = self._task.request.instruction
            raise AmsError(f"a task runs already ({running!r}): cancel it or wait for its end")
        self._task = _Task(task_request_of(goal.request), goal, self._handoff.future())
        return self._task

    def _cancel(self, goal: Any) -> CancelResponse:
        task = self._task
        if task is not None and bytes(task.goal.goal_id.uuid) == bytes(goal.goal_id.uuid):
            task.stop.request("canceled by the client")
        return CancelResponse.ACCEPT

    # In the task's thread.

    def _work(self, stop: StopRequest) -> None:
        while not stop.requested:
            try:
                task = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            try:
                result = self._run(task)
            except BaseException as error:
                # The client must not wait in vain for a result that this dying thread owes.
                reason = f"the supervisor failed: {type(error).__name__}: {error}"
                self._handoff.resolve(task.future, _failed(reason))
                raise
            self._handoff.resolve(task.future, result)

    def _run(self, task: _Task) -> TaskResult:
        source = RosSliceSource(
            self._slices,
            self._profile.joint_names,
            self.setting("server_wait"),
            self.setting("infer_timeout"),
            task.stop,
        )
        request = task.request
        self.get_logger().info(f"task {request.instruction!r}, at most {request.step_budget} steps")
        try:
            loop = TaskLoop(
                source,
                self._robot,
                self._task_clock,
                self._rest,
                lambda status: self._tell_status(task, status),
                recovery=self._recovery,
                replay=self._replay.of(request, task.stop),
                on_event=self._tell_event,
            )
            self._robot.begin_task(request, task.stop)
            return loop.run(request, task.stop)
        except AmsError as error:  # the loop raises none
            return _failed(str(error))
        finally:
            self._robot.end_task()
            self._replay.end_task()

    def _tell_status(self, task: _Task, status: TaskStatus) -> None:
        if status.phase is not Phase.ENDED:
            task.goal.publish_feedback(feedback_message(status))
        self._state.publish(state_message(status, task.request.instruction, self.get_clock().now().to_msg()))

    def _tell_event(self, event: TaskEvent) -> None:
        self._events.publish(event_message(event, self.get_clock().now().to_msg()))


def _failed(message: str) -> TaskResult:
    """Of a task in which nothing was done."""
    return TaskResult(Outcome.FAILED, message, 0, 0, 0, 0, 0.0, 0.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to end."""
    return run_node(ReplaySupervisor)


if __name__ == "__main__":
    sys.exit(main())
