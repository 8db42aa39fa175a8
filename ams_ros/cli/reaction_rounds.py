"""One stop after the other, by the monitor and by the control in turn, each in the midst of a motion."""

from __future__ import annotations

import json
import uuid
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionClient
from rclpy.task import Future
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectoryPoint

from ams_ros.benchmark.reaction.figures import Reaction, Watch, rate_figures
from ams_ros.cli.graph_load import load_of
from ams_ros.cli.reaction_processes import MEND, MONITOR, NAMESPACE, ROBOT, ReactionProcesses
from ams_ros.cli.ros_session import RosSession
from ams_ros.errors import RobotError
from ams_ros.exception.sub_slices import cut_into_sub_slices
from ams_ros.msg import ActionException, MotionPlan
from ams_ros.nodes.conversions import to_duration
from ams_ros.nodes.exception_conversions import goal_message
from ams_ros.nodes.reaction_bench.robot import BARE
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.profile import load_profile
from ams_ros.srv import Acknowledge, ReleaseStop
from ams_ros.types import Float64Array

EXPECTED = "wrench_jump"
"""The rule that the offending sample breaks."""

_PERIOD = 0.02
"""s of a step; those of the paper's robots take as long or longer."""
_TURN = 0.5
"""rad from the start pose to where the waist turns to, this side and that."""
_STEPS = 30
"""Of one motion, which is stopped long before its end."""
_SETTLE = {"react": 0.05, "react_bare": 0.02}
"""s in which samples flow again before a goal is sent. For the monitor, its silence meanwhile is over then."""
_WARM_UP = 3
"""Stops each way that are not counted."""
_ANSWER = 10.0
"""s, longest wait for anything."""


@dataclass(slots=True)
class _Found:
    """What one pass has brought so far."""

    monitored: list[dict[str, float]] = field(default_factory=list)
    bare: list[Reaction] = field(default_factory=list)
    detection: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unproven: int = 0


class ReactionRounds:
    """Measures at one rate, once everything runs."""

    def __init__(self, session: RosSession, running: ReactionProcesses, rate: float) -> None:
        """rate: of the samples, Hz."""
        self._session, self._running, self._rate = session, running, rate
        self._profile, action = load_profile("widowx_250s"), load_driver("simulated_widowx").arm_action
        node = session.node
        self._goals = {
            name: ActionClient(node, FollowJointTrajectory, path)
            for name, path in (("react", action), ("react_bare", f"{NAMESPACE}/{BARE}{action}"))
        }
        self._plans = node.create_publisher(MotionPlan, f"{NAMESPACE}/replay_supervisor/plan", 10)
        self._exceptions: list[ActionException] = []
        self._told: Future[None] = Future()
        node.create_subscription(ActionException, f"{NAMESPACE}/{MONITOR}/exception", self._hear, 100)
        self._pose, self._published = self._profile.start.copy(), False

    def prepare(self) -> None:
        """Wait until everybody hears everybody, and stop once each way without counting it."""
        clients = [client.server_is_ready for client in self._goals.values()]
        ready = [*clients, lambda: self._plans.get_subscription_count() > 0]
        if not self._session.until(lambda: all(each() for each in ready), _ANSWER):
            raise RobotError(f"robot and monitor do not hear this process: {MEND}")
        self._ask(ROBOT, "flow")
        self._session.spin(1.0)
        self._pass(_WARM_UP)

    def measure(self, samples: int, watched: float) -> dict[str, Any]:
        """The figures of `samples` stops each way, and of `watched` s of undisturbed motion."""
        sent, before = self._ask(ROBOT, "quiet"), self._measured()
        cpu = self._watch(watched)
        found = self._pass(samples)
        sent_now = self._ask(ROBOT, "quiet")
        self._session.spin(0.3)
        after = self._measured()
        kinds = ("joints", "wrenches")
        answers = sorted(after["answered"])
        watch = Watch(
            detection=found.detection,
            rule_us=after["rule_us"],
            sent=sum(sent_now[kind] - sent[kind] for kind in kinds),
            checked=sum(after[kind] - before[kind] for kind in kinds),
            others=found.others,
            unproven=found.unproven,
            cpu=cpu,
        )
        monitored = [Reaction(**each, answered=_next(answers, each["canceled"])) for each in found.monitored]
        if not monitored or not found.bare:
            raise RobotError(f"no stop could be measured at {self._rate:g} Hz ({', '.join(found.others)}): {MEND}")
        return rate_figures(self._rate, monitored, found.bare, watch)

    def _pass(self, samples: int) -> _Found:
        found = _Found()
        for _ in range(samples):
            times = self._stop("react_bare")
            if times:
                found.bare.append(Reaction(**times))
            self._told = Future()
            times = self._stop("react")
            self._session.wait(self._told, _ANSWER if times else 0.0)
            told = list(self._exceptions)
            if times and [each.rule for each in told] == [EXPECTED]:
                found.monitored.append(times)
                found.detection.append(told[0].detection_seconds)
                found.unproven += not told[0].stopped
            else:
                found.others.append(", ".join(each.rule for each in told) or self._why_not())
            self._lift()
        return found

    def _stop(self, how: str) -> dict[str, float]:
        """One motion with an offending sample in it; when things happened, empty when they did not."""
        future = self._begin(how)
        self._session.spin(_SETTLE[how])
        self._send(how, _STEPS)
        if not self._session.wait(future, _ANSWER):
            raise RobotError(f"{ROBOT}/{how} did not answer within {_ANSWER:g} s: {MEND}")
        times = json.loads(future.result().message)
        self._pose, self._published = np.array(times.pop("pose")), times.pop("published")
        return (
            {"published": times["spoiled"], "canceled": times["canceled"], "rested": times["rested"]} if times else {}
        )

    def _why_not(self) -> str:
        return "NOBODY REACTED to the offending sample" if self._published else "the arm did not get under way"

    def _watch(self, seconds: float) -> float:
        """What the monitor takes of a core while samples flow and an announced motion is under way."""
        self._ask(ROBOT, "flow")
        self._session.spin(_SETTLE["react"])
        self._send("react", round((seconds + 0.5) / _PERIOD))
        processes = {MONITOR: self._running.processes.identifiers[MONITOR]}
        _, loads = load_of(processes, lambda: self._session.spin(seconds))
        self._session.spin(1.0)
        self._pose = self._target
        self._lift()
        return loads[MONITOR].cpu

    def _send(self, how: str, steps: int) -> None:
        """Turn the waist to the other side in so many steps; the monitor's goal is announced as a task's are."""
        self._target = self._profile.start.copy()
        self._target[0] += -_TURN if self._pose[0] > self._target[0] else _TURN
        share = np.linspace(0.0, 1.0, steps + 1)[1:, None]
        joints = self._pose + (3.0 * share**2 - 2.0 * share**3) * (self._target - self._pose)
        goal, identifier = FollowJointTrajectory.Goal(), uuid.uuid4().hex
        goal.trajectory.joint_names = list(self._profile.joint_names)
        goal.trajectory.points = [
            JointTrajectoryPoint(positions=row.tolist(), time_from_start=to_duration(number * _PERIOD))
            for number, row in enumerate(joints, start=1)
        ]
        if how == "react":
            self._plans.publish(self._plan(identifier, joints))
        sent = self._goals[how].send_goal_async(goal, goal_uuid=goal_message(identifier))
        if not self._session.wait(sent, _ANSWER) or not sent.result().accepted:
            raise RobotError(f"the arm's controller did not accept a goal: {MEND}")

    def _plan(self, goal: str, joints: Float64Array) -> MotionPlan:
        plan = MotionPlan(goal=goal, purpose="task", context_id="", slice=0, first_step=0)
        plan.joint_names, plan.positions = list(self._profile.joint_names), joints.ravel().tolist()
        plan.gripper = plan.previous_gripper = float("nan")
        plan.period = to_duration(_PERIOD)
        plan.sub_slices = list(cut_into_sub_slices(joints, self._pose, _PERIOD))
        return plan

    def _lift(self) -> None:
        """Let the arm move again, whatever stopped it."""
        for told in self._exceptions[-1:]:
            if told.acknowledge:
                self._call(Acknowledge, MONITOR, "acknowledge", Acknowledge.Request(person="ams bench reaction"))
            else:
                self._call(ReleaseStop, MONITOR, "release", ReleaseStop.Request(exception=told.number))
        self._exceptions.clear()

    def _hear(self, exception: ActionException) -> None:
        self._exceptions.append(exception)
        if not self._told.done():
            self._told.set_result(None)

    def _measured(self) -> dict[str, Any]:
        return self._ask(MONITOR, "measured")

    def _ask(self, node: str, verb: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._call(Trigger, node, verb, Trigger.Request()).message)
        return answer

    def _call(self, kind: Any, node: str, verb: str, request: Any) -> Any:
        return self._session.call(kind, f"{NAMESPACE}/{node}/{verb}", request, _ANSWER, MEND)

    def _begin(self, how: str) -> Any:
        name = f"{NAMESPACE}/{ROBOT}/{how}"
        self._session.offered(Trigger, name, _ANSWER)
        return self._session._client(Trigger, name).call_async(Trigger.Request())


def _next(moments: list[float], after: float) -> float:
    """The first of these moments (s, rising) that is not before `after`; nan for none."""
    at = bisect_left(moments, after)
    return moments[at] if at < len(moments) else float("nan")
