"""One death after the other, each in the midst of a task's motion."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from action_msgs.msg import GoalStatus, GoalStatusArray
from rclpy.action import ActionClient
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from ams_ros.action import RunTask
from ams_ros.benchmark.deaths.figures import Death
from ams_ros.cli.graph import STATUS_QOS
from ams_ros.cli.graph_client import GraphClient
from ams_ros.cli.mortal_graph import MortalGraph
from ams_ros.errors import RobotError
from ams_ros.msg import ActionException, Heartbeat, MotionPlan
from ams_ros.nodes.exception_conversions import goal_of
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.profile import load_profile

MEND = "see whether other processes keep this machine busy; the nodes' logs tell more"

_MOVING = 0.1
"""rad/s of the fastest joint from which on the arm is under way."""
_LONGEST_WAIT = 0.15
"""s; the kill comes so long at most after the arm is under way."""
_WATCHED = 1.5
"""s after the kill in which the arm is watched; longer than any slice takes."""
_ANSWER = 30.0
"""s, longest wait for anything a task does."""
_PATIENCE, _PAUSE = 6, 3.0
"""So many tasks in a row may end before the kill, so long apart, s."""
_HEARD = ("exception_monitor", "inference", "replay_supervisor")
"""The nodes that have a heartbeat."""
_LIVE = frozenset({GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING})


class DeathRounds:
    """Measures on one graph, which is whole again after each round."""

    def __init__(self, graph: MortalGraph, tell: Callable[[str], None]) -> None:
        """tell: is given a line when a round had to be repeated."""
        self._graph, self._session, self._tell = graph, graph.session, tell
        self._client = GraphClient(graph.session, graph.namespace)
        driver, node, space = load_driver("simulated_widowx"), graph.session.node, graph.namespace
        self._rest, self._names = driver.rest.velocity, load_profile(driver.robot).joint_names
        self._task = ActionClient(node, RunTask, f"{space}/replay_supervisor/run_task")
        self._speeds: list[tuple[float, float]] = []
        self._statuses: list[tuple[float, dict[str, int]]] = []
        self._plan: MotionPlan | None = None
        self._steps = 0
        self._exceptions: list[ActionException] = []
        self._beats: dict[str, list[Heartbeat]] = {name: [] for name in _HEARD}
        sensor = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
        node.create_subscription(JointState, driver.joint_states.topic, self._on_joints, sensor)
        node.create_subscription(GoalStatusArray, f"{driver.arm_action}/_action/status", self._on_goals, STATUS_QOS)
        node.create_subscription(MotionPlan, f"{space}/replay_supervisor/plan", self._on_plan, 10)
        told = f"{space}/exception_monitor/exception"
        node.create_subscription(ActionException, told, self._exceptions.append, 100)
        for name, beats in self._beats.items():
            node.create_subscription(Heartbeat, f"{space}/{name}/heartbeat", beats.append, 10)
        self._random = random.Random(0)

    def measure(self, case: str, victims: Sequence[str], kills: int) -> list[Death]:
        """`kills` deaths of these nodes together; raises RobotError when the graph does not become whole again."""
        deaths: list[Death] = []
        failures = 0
        while len(deaths) < kills:
            death = self._round(victims, seed=len(deaths))
            if isinstance(death, Death):
                deaths.append(death)
                failures = 0
                continue
            failures += 1
            if failures == _PATIENCE:
                raise RobotError(f"{case}: {_PATIENCE} tasks in a row ended before the kill, the last one so: {death}")
            self._tell(f"{case}: the task ended before the kill: {death}")
            # DDS takes some seconds until a node that was started anew hears everybody.
            self._session.spin(_PAUSE)
        return deaths

    def _round(self, victims: Sequence[str], seed: int) -> Death | str:
        """The death, or how the task ended before it came to that."""
        self._client.reset("cubes", 3, seed)
        self._steps = 0
        goal = RunTask.Goal(instruction="put the cubes in the bowl", mode="exception", step_budget=2000, seed=seed)
        sent = self._task.send_goal_async(goal, self._on_feedback)
        if not self._session.wait(sent, _ANSWER) or not sent.result().accepted:
            raise RobotError(f"the supervisor did not take a task: {MEND}")
        result = sent.result().get_result_async()
        death = self._in_motion(victims, sent.result(), result)
        if death is None:
            return str(result.result().result.message)
        for victim in victims:
            self._graph.revive(victim)
            if victim in self._beats:
                self._graph.wait_beating(victim, self._beats[victim])
        return death

    def _in_motion(self, victims: Sequence[str], handle: Any, result: Any) -> Death | None:
        # Looking at all processes takes so long that what arrives would have to wait for it.
        watch, self._session.watch = self._session.watch, self._graph.check_interrupts
        try:
            goal = self._wait_moving(result)
            return self._die(goal, victims, handle, result) if goal else None
        finally:
            self._session.watch = watch

    def _wait_moving(self, result: Any) -> str:
        """The goal of a motion of the task that is well under way; empty when the task ended before."""
        deadline = time.monotonic() + _ANSWER
        while not result.done():
            if time.monotonic() > deadline:
                raise RobotError(f"the task did not move the arm within {_ANSWER:g} s: {MEND}")
            if self._steps >= 8 and self._moves():
                # Some time into it, and not of the motions that end just now.
                self._session.spin(self._random.uniform(0.0, _LONGEST_WAIT))
                if self._moves() and self._plan is not None:
                    return str(self._plan.goal)
            self._session.spin(0.01)
        return ""

    def _moves(self) -> bool:
        live = self._statuses[-1][1] if self._statuses else {}
        return bool(
            self._plan is not None
            and self._plan.purpose == "task"
            and live.get(self._plan.goal) in _LIVE
            and self._speeds[-1][1] > _MOVING
        )

    def _die(self, goal: str, victims: Sequence[str], handle: Any, result: Any) -> Death:
        seen, steps, told = len(self._speeds), self._steps, len(self._exceptions)
        killed = self._graph.kill(victims)
        self._session.spin(_WATCHED)
        moving = [at for at, speed in self._speeds[seen:] if at > killed and speed > self._rest]
        canceled = next((at for at, known in self._statuses if known.get(goal, 2) in _ENDING and at > killed), math.nan)
        rested = max(moving, default=killed) - killed
        outcome = self._outcome(victims, steps, told, handle, result)
        return Death(canceled - killed, rested, outcome)

    def _outcome(self, victims: Sequence[str], steps: int, told: int, handle: Any, result: Any) -> str:
        """What became of the task, and of those who were left."""
        if "replay_supervisor" in victims:
            stopped = [each for each in self._exceptions[told:] if each.rule == "node_death" and each.stopped]
            return "stopped by the monitor" if stopped else "nobody is left"
        if victims == ("context_pool",) and self._session.until(lambda: self._steps >= steps + 16, _ANSWER):
            outcome = "the task went on"
        else:
            outcome = ""
        if not outcome:
            self._session.wait(result, _ANSWER)
        if not result.done():
            handle.cancel_goal_async()
        if not self._session.wait(result, _ANSWER):
            raise RobotError(f"the task did not end within {_ANSWER:g} s: {MEND}")
        return outcome or str(result.result().result.outcome)

    # What arrives.

    def _on_joints(self, message: JointState) -> None:
        speed = max(abs(v) for n, v in zip(message.name, message.velocity, strict=True) if n in self._names)
        self._speeds.append((time.monotonic(), speed))

    def _on_goals(self, message: GoalStatusArray) -> None:
        known = {goal_of(each.goal_info.goal_id): each.status for each in message.status_list}
        self._statuses.append((time.monotonic(), known))

    def _on_plan(self, message: MotionPlan) -> None:
        self._plan = message

    def _on_feedback(self, message: Any) -> None:
        self._steps = message.feedback.step


_ENDING = frozenset({GoalStatus.STATUS_CANCELING, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED})
