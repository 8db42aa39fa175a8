"""The exception monitor: the node that watches the robot and stops it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from action_msgs.msg import GoalStatus, GoalStatusArray
from geometry_msgs.msg import WrenchStamped
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from ams_ros.errors import ConfigurationError
from ams_ros.exception.detector import Detector
from ams_ros.exception.guard import ExceptionGuard, GoalNews, GuardState
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.msg import ActionException as ActionExceptionMessage
from ams_ros.msg import MotionPlan as MotionPlanMessage
from ams_ros.nodes.conversions import seconds_of
from ams_ros.nodes.exception_conversions import exception_message, goal_of, plan_of
from ams_ros.nodes.heartbeat import HeartbeatPublisher
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.monitor_publishers import DiagnosticsPublisher, MarginPublishers, Present, StatePublisher
from ams_ros.nodes.needed_nodes import NeededNodes
from ams_ros.nodes.parameters import Setting
from ams_ros.nodes.process import run_node
from ams_ros.nodes.promptness import Precedence, QuietCollection
from ams_ros.nodes.ros_stop_actuator import RosStopActuator
from ams_ros.nodes.rule_parameters import RuleParameters
from ams_ros.nodes.sample_meter import SampleMeter
from ams_ros.nodes.sample_reader import JointStateReader, WrenchReader
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.srv import Acknowledge, ReleaseStop
from ams_ros.types import ActionException, ExceptionKind, Severity, StopStage

# Best effort also hears reliable publishers; a sample that had to wait for a callback is not to be lost.
_SENSOR = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
# As action servers publish it: the goals that run already are heard of at once.
_GOALS = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_EXCEPTIONS = QoSProfile(depth=100)

_FILES = ("thresholds", "conditions")
_DEATH = "node_death"
_NO_CONTROLLER = "the arm's controller is not there, so nothing could be stopped; start the robot's driver"
_CANCELABLE = frozenset({GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING})
_LIVE = _CANCELABLE | {GoalStatus.STATUS_CANCELING}
_POLL_SECONDS = 0.005
_LOOK_SECONDS = 0.05
_DIAGNOSTICS_SECONDS = 1.0


class ExceptionMonitor(AmsNode):
    """Feeds an ExceptionGuard with what it hears, and tells what the guard did, in that order.

    Samples, ticks, goals and answers all come on the executor's thread, one at a time, and so does the end of another
    process. On that thread nothing waits, and nothing is logged or published before the guard has acted.
    """

    SETTINGS = (
        Setting("driver", "simulated_widowx", "driver file under config/drivers: the robot, its topics, how it stops"),
        Setting("thresholds", "", "file of thresholds that `ams calibrate` wrote; empty: config/exceptions.yaml alone"),
        Setting("conditions", "", "file of conditions of your own; empty: none"),
        Setting("shadow", False, "exceptions are told and nothing is stopped", live=True),
        Setting("plan_topic", "replay_supervisor/plan", "MotionPlan; relative to this node's namespace"),
        Setting(
            "needed_nodes",
            ["replay_supervisor", "inference"],
            "nodes whose death during an announced motion of a task stops the arm; relative to this node's namespace",
        ),
        Setting("silence_is_death", 1.0, "so long a node's heartbeat may be missing, s", 0.3, 60.0),
        Setting("tick_rate", 100.0, "deadlines and silence are looked at so often, Hz", 50.0, 1000.0),
        Setting("priority", 10, "real-time priority wanted while active; 0: none", 0, 90),
    )

    def __init__(self) -> None:
        """Wait to be configured."""
        super().__init__("exception_monitor")
        self._watching = False
        self._rule_parameters: RuleParameters | None = None
        self._precedence, self._collection = Precedence(), QuietCollection()
        self._numbered = 0
        """Exceptions of this process so far: every configuration goes on counting."""
        self._in_force: ActionException | None = None
        """Whose stop is in force when nobody watches: no stop is lifted by configuring anew."""

    # The four verbs.

    def _setup(self) -> None:
        driver = load_driver(self.setting("driver"))
        profile = load_profile(driver.robot)
        files = [Path(self.setting(name)).expanduser() if self.setting(name) else None for name in _FILES]
        robot = WatchedRobot(profile, driver, ArmDynamics(profile))
        self._rule_parameters = RuleParameters(self, robot, load_rule_settings(driver, *files))
        self._joint_names = profile.joint_names
        self._detector = Detector(robot, self._rule_parameters.settings)
        self._actuator = RosStopActuator(self, driver, profile.joint_names, self._answered, self._runs_goal)
        self._guard = ExceptionGuard(
            self._detector,
            driver,
            self._actuator,
            self._report,
            shadow=self.setting("shadow"),
            numbered=self._numbered,
            in_force=self._in_force,
        )
        self._rule_parameters.follow(self._detector)
        self._ladder_seconds = sum(step.deadline + driver.rest.deadline for step in driver.stop)
        self._goals = GoalStatusArray()
        self._goals_left: GoalStatusArray | None = None
        self._controller_there = False
        self._refused_plan = ""
        self._offer(driver.name)
        self._listen(driver.joint_states.topic, driver.wrench.topic if driver.wrench else "", driver.arm_action)
        # Last of all, so that whoever hears it beat has discovered everything above.
        self._heartbeat = HeartbeatPublisher(self)

    def _offer(self, driver: str) -> None:
        self._exceptions = self.create_publisher(ActionExceptionMessage, "~/exception", _EXCEPTIONS)
        self._state = StatePublisher(self)
        self._margins = MarginPublishers(self, self._detector)
        self._diagnostics = DiagnosticsPublisher(self, driver)
        self.create_service(ReleaseStop, "~/release", self._release)
        self.create_service(Acknowledge, "~/acknowledge", self._acknowledge)
        self._every(1.0 / self.setting("tick_rate"), self._tick)
        self._every(_LOOK_SECONDS, self._look_around)
        self._every(_DIAGNOSTICS_SECONDS, self._diagnose)

    def _listen(self, joint_states: str, wrench: str, arm_action: str) -> None:
        now = time.monotonic()
        self._joint_meter, self._wrench_meter = SampleMeter(now), SampleMeter(now)
        self._joint_reader, self._wrench_reader = JointStateReader(), WrenchReader()
        self.create_subscription(JointState, joint_states, self._on_joints, _SENSOR, raw=True)
        if wrench:
            self.create_subscription(WrenchStamped, wrench, self._on_wrench, _SENSOR, raw=True)
        self.create_subscription(GoalStatusArray, f"{arm_action}/_action/status", self._on_goals, _GOALS)
        self.create_subscription(MotionPlanMessage, self.setting("plan_topic"), self._on_plan, 10)
        announcer = self.setting("plan_topic").rpartition("/")[0]
        limit = self.setting("silence_is_death")
        self._needed = NeededNodes(self, self.setting("needed_nodes"), announcer, limit, self._judge_deaths)

    def _every(self, seconds: float, call: Callable[[], None]) -> None:
        self.create_timer(seconds, call, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _activate(self) -> None:
        self._precedence.take(self.setting("priority"))
        self._collection.begin()
        self.on_executor(self._begin)

    def _begin(self) -> None:
        # What was seen before this node slept says nothing about now; the goals that run do.
        self._detector.reset()
        self._watching = True
        self._on_goals(self._goals)

    def _deactivate(self, reason: str) -> None:
        """A stop that is under way is brought to its end first.

        A motion that is fine goes on: whoever needs it watched sees by the heartbeat that it no longer is.
        """
        deadline = time.monotonic() + self._ladder_seconds
        while self._watching and self._guard.state is GuardState.STOPPING and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._watching = False
        self._collection.end()
        self._precedence.give_back()
        self.on_executor(self._look_away)

    def _look_away(self) -> None:
        self._in_force = self._guard.exception
        self._heartbeat.beat()

    def _teardown(self) -> None:
        if self._rule_parameters is not None:
            self._rule_parameters.withdraw()
            self._rule_parameters = None

    def fail(self, reason: str) -> None:
        """Take the node to error; but first the arm is stopped, as from now on nobody watches it."""
        if self._watching and not self._guard.shadow:
            self.executor.create_task(self._actuator.stop_unseen)
        super().fail(reason)

    # What arrives, on the executor's thread: first the guard, then everything else.

    def _on_joints(self, raw: bytes) -> None:
        arrival = time.monotonic()
        if not self._watching:
            return
        self._guard.joints(*self._joint_reader.read(raw), arrival)
        self._joint_meter.add(time.monotonic() - arrival)

    def _on_wrench(self, raw: bytes) -> None:
        arrival = time.monotonic()
        if not self._watching:
            return
        self._guard.wrench(*self._wrench_reader.read(raw), arrival)
        self._wrench_meter.add(time.monotonic() - arrival)

    def _on_goals(self, message: GoalStatusArray) -> None:
        self._goals = message
        if self._watching:
            self._guard.goals(self._news(), time.monotonic())
            self._judge_deaths()

    def _on_plan(self, message: MotionPlanMessage) -> None:
        if not self._watching:
            return
        try:
            plan = plan_of(message, self._joint_names)
        except ConfigurationError as error:
            self._refused_plan = f"a plan was refused, so its motion is watched without it: {error}"
            self.get_logger().error(self._refused_plan)
            return
        self._refused_plan = ""
        self._guard.announce(plan, time.monotonic())

    def _runs_goal(self) -> bool:
        return any(status.status in _CANCELABLE for status in self._strange())

    def _strange(self) -> list[GoalStatus]:
        """The statuses of all goals but those by which the arm is held."""
        return [each for each in self._goals.status_list if not self._actuator.owns(goal_of(each.goal_info.goal_id))]

    def _news(self) -> list[GoalNews]:
        return [
            GoalNews(goal_of(each.goal_info.goal_id), each.status in _LIVE, seconds_of(each.goal_info.stamp))
            for each in self._strange()
        ]

    def _answered(self, stage: StopStage, accepted: bool, message: str) -> None:
        self._guard.stop_answered(stage, accepted, message, time.monotonic())

    def _judge_deaths(self) -> None:
        if not self._watching:
            return
        death = self._needed.death_during(self._detector.state.plan)
        if death:
            self._guard.outside(_DEATH, ExceptionKind.CONDITION, Severity.SERIOUS, death, time.monotonic())

    def _tick(self) -> None:
        if not self._watching:
            return
        self._guard.shadow = self.setting("shadow")
        self._guard.tick(time.monotonic())
        self._judge_deaths()
        self._state.tell(self._guard)
        if self._guard.failure is not None and self._guard.state is not GuardState.STOPPING:
            self._watching = False
            super().fail(str(self._guard.failure))

    def _look_around(self) -> None:
        if not self._watching:
            return
        there = self._actuator.ready
        if there != self._controller_there:
            self._controller_there = there
            self._see_controller()
        self._margins.tell(self._detector)

    def _see_controller(self) -> None:
        """Goals of a controller that went away count as running until it is back with none of its own."""
        if not self._controller_there:
            self._goals_left = self._goals
            self._detector.report_driver(_NO_CONTROLLER)
            return
        self._detector.report_driver("")
        if self._goals is self._goals_left:
            self._on_goals(GoalStatusArray())

    # What is told.

    def _report(self, exception: ActionException) -> None:
        self._exceptions.publish(exception_message(exception))
        self._numbered = exception.number
        self._state.tell(self._guard)
        told = f"exception {exception.number}, {exception.rule}: {exception.message}; {_what_was_done(exception)}"
        # Two lines, because rclpy ties a line of code to the severity it first logged with.
        if exception.stopped or not exception.acted:
            self.get_logger().warning(told)
        else:
            self.get_logger().error(told)

    def _release(self, request: ReleaseStop.Request, response: ReleaseStop.Response) -> ReleaseStop.Response:
        refusal = self._refusal() or self._guard.release(request.exception, request.recovery, time.monotonic())
        response.success, response.message = refusal is None, refusal or ""
        self._state.tell(self._guard)
        return response

    def _acknowledge(self, request: Acknowledge.Request, response: Acknowledge.Response) -> Acknowledge.Response:
        refusal = self._refusal() or self._guard.acknowledge(request.exception, time.monotonic())
        response.success, response.message = refusal is None, refusal or ""
        self._state.tell(self._guard)
        self.get_logger().info(f"exception {request.exception} acknowledged by {request.person!r}: {refusal or 'done'}")
        return response

    def _refusal(self) -> str | None:
        return None if self._watching else f"the exception monitor is {self.state_label}: activate it"

    def _diagnose(self) -> None:
        if not self._watching:
            return
        now = time.monotonic()
        concerns = (
            self._guard.concern,
            self._needed.missing,
            self._refused_plan,
            "" if self._controller_there else _NO_CONTROLLER,
        )
        present = Present(
            self._joint_meter.read(now),
            self._wrench_meter.read(now),
            self._precedence.granted,
            self._needed.present,
            "; ".join(filter(None, concerns)),
        )
        self._diagnostics.tell(self._guard, self._detector, present)
        if not self._detector.state.executing and self._guard.state is not GuardState.STOPPING:
            self._collection.collect()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to end."""
    return run_node(ExceptionMonitor)


def _what_was_done(exception: ActionException) -> str:
    if not exception.acted:
        return "shadow mode, nothing was stopped"
    if exception.stopped:
        return f"the arm is at rest after {exception.stage.value}"
    return f"NOT SEEN TO STOP, the last thing tried was {exception.stage.value}"


if __name__ == "__main__":
    sys.exit(main())
