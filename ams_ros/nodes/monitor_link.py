"""The supervisor's line to the exception monitor: plans go there, what it saw and did comes back."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rclpy.qos import QoSProfile

from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.exception.guard_state import LATCHED as NOTHING_MOVES
from ams_ros.exception.guard_state import GuardState
from ams_ros.exception.plan import MotionPlan
from ams_ros.msg import ActionException as ActionExceptionMessage
from ams_ros.msg import MonitorState as MonitorStateMessage
from ams_ros.msg import MotionPlan as MotionPlanMessage
from ams_ros.nodes.exception_conversions import exception_of, plan_message
from ams_ros.nodes.goal_call import wait_for
from ams_ros.nodes.heartbeat import ProcessWatch
from ams_ros.nodes.lifecycle import LATCHED, AmsNode
from ams_ros.recovery.wording import ACKNOWLEDGE, left
from ams_ros.robot.stop_request import StopRequest
from ams_ros.srv import ReleaseStop
from ams_ros.types import ActionException, Mode

# As the monitor publishes them: none may get lost.
_EXCEPTIONS = QoSProfile(depth=100)
_WITHOUT = f"modes {', '.join(mode.value for mode in Mode if not mode.guarded)} run without"
_POLL_SECONDS = 0.005
_LOOK_AGAIN = 0.05
_ASK_AGAIN = 0.5


@dataclass(frozen=True, slots=True)
class MonitorLimits:
    """How long to wait for the monitor, seconds of wall time.

    appear: for it to be there and to answer. explain: for it to say that it was who stopped a motion. stop: for a stop
    under way to come to its end. silence: of its heartbeat, that counts as death.
    """

    appear: float
    explain: float
    stop: float
    silence: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the monitor stands. exception: number of the one in force, 0 for none. message: for a person."""

    state: GuardState
    exception: int
    message: str


class MonitorLink:
    """Made once per configuration. What comes in is noted on the executor's thread; all else belongs into the task's.

    Exceptions are counted here as they come, because the monitor's own numbers begin anew with its process. Those of
    shadow mode, which stopped nothing, are none to the supervisor.
    """

    def __init__(self, node: AmsNode, name: str, joint_names: tuple[str, ...], limits: MonitorLimits) -> None:
        """name: of the monitor's node. joint_names: of the columns of plans."""
        self._node, self._name, self._joint_names, self._limits = node, name, joint_names, limits
        # Replaced as one, so that a reader never sees a count with another one's exception.
        self._told: tuple[int, ActionException | None] = (0, None)
        self._standing: Standing | None = None
        self._death = ""
        self._plans = node.create_publisher(MotionPlanMessage, "~/plan", 10)
        self._release = node.create_client(ReleaseStop, f"{name}/release")
        node.create_subscription(ActionExceptionMessage, f"{name}/exception", self._hear, _EXCEPTIONS)
        node.create_subscription(MonitorStateMessage, f"{name}/state", self._note, LATCHED)
        self._watch = ProcessWatch(node, name, self._mourn, limits.silence)

    # On the executor's thread.

    def _hear(self, message: ActionExceptionMessage) -> None:
        try:
            exception = exception_of(message)
        except ConfigurationError as error:
            self._node.get_logger().error(f"an exception that cannot be understood: {error}")
            return
        if exception.acted:
            self._told = (self._told[0] + 1, exception)

    def _note(self, message: MonitorStateMessage) -> None:
        try:
            state = GuardState(message.state)
        except ValueError:
            known = ", ".join(each.value for each in GuardState)
            self._node.get_logger().error(f"state of {self._name}: got {message.state!r}, allowed: {known}")
            return
        self._standing = Standing(state, message.exception, message.message)

    def _mourn(self, text: str) -> None:
        self._death = text

    # In the task's thread.

    @property
    def told(self) -> int:
        """How many exceptions were told so far."""
        return self._told[0]

    @property
    def standing(self) -> Standing | None:
        """Where an active monitor stands; None when there is none, or nothing was heard of it yet."""
        return self._standing if self._watch.active else None

    @property
    def absence(self) -> str:
        """Why no monitor watches the plans announced here, and how to mend it; empty when one does."""
        mend = f"`ams up` starts one; {_WITHOUT}"
        if not self._watch.alive:
            return f"{self._death or f'no exception monitor {self._name} is heard'}: {mend}"
        if not self._watch.active:
            return f"the exception monitor {self._name} is not active: activate it; {_WITHOUT}"
        if self._standing is None or self._plans.get_subscription_count() == 0:
            return f"the exception monitor {self._name} does not listen to {self._plans.topic_name}: see its log"
        return ""

    def require(self, mode: Mode, stop: StopRequest) -> None:
        """Return when an active monitor listens, or `stop` is requested; raises RobotError when time runs out."""
        deadline = time.monotonic() + self._limits.appear
        while absence := self.absence:
            if time.monotonic() > deadline:
                raise RobotError(f"mode {mode.value} needs the exception monitor. {absence}")
            if stop.wait(_LOOK_AGAIN):
                return

    def announce(self, plan: MotionPlan) -> None:
        """Tell what is about to be sent to the arm."""
        self._plans.publish(plan_message(plan, self._joint_names, self._node.get_clock().now().to_msg()))

    def since(self, told: int) -> ActionException | None:
        """The newest exception that came after the first `told`; None when none did."""
        count, exception = self._told
        return exception if count > told else None

    def wait_exception(self, told: int) -> ActionException | None:
        """What stopped the arm, after the first `told` exceptions; None when the monitor did not.

        Waits for a stop that is under way to come to its end, and otherwise a moment, as the monitor tells of a stop
        later than the controller does.
        """
        now = time.monotonic()
        explained, stopped = now + self._limits.explain, now + self._limits.stop
        while (standing := self.standing) is not None:
            exception = self.since(told)
            if exception is not None:
                return exception
            latched = standing.state in NOTHING_MOVES
            if latched and self._told[1] is not None and self._told[1].number == standing.exception:
                return self._told[1]
            if time.monotonic() > (stopped if latched else explained):
                return None
            time.sleep(_POLL_SECONDS)
        return self.since(told)

    def release(self, number: int, *, recovery: bool) -> ActionException | None:
        """Lift the stop of that exception, and return None when the monitor says that it is lifted.

        A stop that is still, or again, under way is waited for. Where another exception is in force and nothing was
        lifted for that, returns that one as it was told. Raises RobotError when the monitor refuses for another reason,
        does not answer, or does not tell what is in force.
        """
        # A person may have acknowledged meanwhile, which lifts it altogether.
        lifted = {GuardState.WATCHING, GuardState.RECOVERING} if recovery else {GuardState.WATCHING}
        deadline = time.monotonic() + self._limits.stop
        refusal = self._ask_release(number, recovery)
        while (standing := self.standing) is None or standing.state not in lifted:
            if standing is None:
                raise RobotError(self.absence or f"{self._name} fell silent")
            if standing.exception not in (0, number) and standing.state is not GuardState.STOPPING:
                return self._newer(standing.exception, refusal)
            hopeless = standing.state is GuardState.AWAITING_ACKNOWLEDGE
            if time.monotonic() > deadline or (refusal and hopeless):
                raise RobotError(refusal or f"{self._name} released exception {number} and is {standing.state.value}")
            time.sleep(_LOOK_AGAIN if refusal else _POLL_SECONDS)
            if refusal:
                refusal = self._ask_release(number, recovery)
        return None

    def _newer(self, number: int, refusal: str) -> ActionException:
        """The exception of that number, which is in force and may be told a moment later than that it is."""
        deadline = time.monotonic() + self._limits.explain
        while (told := self._told[1]) is None or told.number != number:
            if time.monotonic() > deadline:
                raise RobotError(refusal or f"{self._name} did not tell what exception {number} is, which is in force")
            time.sleep(_POLL_SECONDS)
        return told

    def lift_leftover(self, stop: StopRequest) -> None:
        """Lift a stop that an earlier task left in force; raises RobotError when a person must acknowledge it first."""
        deadline = time.monotonic() + self._limits.stop
        while (standing := self.standing) is not None and standing.state is not GuardState.WATCHING:
            if standing.state is GuardState.AWAITING_ACKNOWLEDGE:
                raise RobotError(f"a stop from before this task is in force. {standing.message}; {ACKNOWLEDGE}")
            if standing.state is not GuardState.STOPPING:
                newer = self.release(standing.exception, recovery=False)
                if newer is not None:
                    raise RobotError(f"a stop from before this task was to be lifted when another came: {left(newer)}")
                return
            if time.monotonic() > deadline:
                raise RobotError(f"a stop from before this task does not end. {standing.message}")
            if stop.wait(_LOOK_AGAIN):
                return

    def _ask_release(self, number: int, recovery: bool) -> str:
        """Why the monitor refuses; empty when it does not."""
        request = ReleaseStop.Request(exception=number, recovery=recovery)
        deadline = time.monotonic() + self._limits.appear
        while not wait_for(future := self._release.call_async(request), _ASK_AGAIN):
            # A monitor may hear a question before it knows who asks, and its answer is lost then. What it did is done:
            # asked again it refuses, and its state tells.
            self._release.remove_pending_request(future)
            if time.monotonic() > deadline:
                raise RobotError(f"{self._release.srv_name} did not answer within {self._limits.appear} s")
        response = future.result()
        return "" if response.success else response.message or "it gives no reason"
