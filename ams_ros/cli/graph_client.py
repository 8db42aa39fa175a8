"""What a person asks of a running graph: build a scene, score it, run a task."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from rclpy.action import ActionClient

from ams_ros.action import RunTask
from ams_ros.cli.ros_session import DISCOVERY_SECONDS, RosSession, nothing
from ams_ros.cli.task_report import Score
from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.msg import ActionException as ActionExceptionMessage
from ams_ros.msg import TaskEvent as TaskEventMessage
from ams_ros.nodes.conversions import guidance_message
from ams_ros.nodes.exception_conversions import exception_of
from ams_ros.nodes.task_messages import event_of, status_of
from ams_ros.srv import ResetScene, ScoreScene
from ams_ros.types import ActionException, Guidance, TaskEvent, TaskStatus

SILENCE_SECONDS = 60.0
"""A task that gives no feedback for so long is given up."""
CANCEL_SECONDS = 10.0
"""A canceled task must have ended within this time."""


@dataclass(frozen=True, slots=True)
class TaskGoal:
    """What a task is asked to be; the fields are those of the action RunTask."""

    instruction: str
    mode: str
    budget: int
    seed: int
    guidance: Guidance | None = None
    guided_slices: int = 0
    task: str = ""
    jobs: int = 0

    def message(self) -> RunTask.Goal:
        """The action's goal; the supervisor makes up the episode."""
        return RunTask.Goal(
            instruction=self.instruction,
            mode=self.mode,
            step_budget=self.budget,
            seed=self.seed,
            guidance=guidance_message(self.guidance),
            guided_slices=self.guided_slices,
            task=self.task,
            jobs=self.jobs,
        )


Feedback = Callable[[TaskStatus], None]


class GraphClient:
    """Talks to the nodes under one namespace through a session; every wait ends."""

    def __init__(self, session: RosSession, namespace: str) -> None:
        """Use the session; nothing is asked yet."""
        self.session, self.namespace = session, namespace
        self._task = ActionClient(session.node, RunTask, f"{namespace}/replay_supervisor/run_task")

    def require_graph(self, timeout: float = 8.0) -> None:
        """Raise RobotError when nobody offers to run tasks; on a busy machine it takes 4 s to find them."""
        if not self.session.until(self._task.server_is_ready, timeout):
            raise RobotError(
                f"no graph runs under {self.namespace} in this ROS domain: start one with `ams up` "
                "in another terminal, or let this command start it with --start"
            )

    def simulated(self, timeout: float = DISCOVERY_SECONDS) -> bool:
        """Whether a simulated robot is there, waited for up to `timeout` seconds."""
        return self.session.offered(ResetScene, f"{self.namespace}/simulated_robot/reset", timeout)

    def reset(self, task: str, objects: int, seed: int) -> str:
        """Build a fresh scene and return its instruction; raises RobotError saying why it cannot be built."""
        request = ResetScene.Request(task=task, objects=objects, seed=seed)
        mend = "is the simulated robot active? `ams doctor` tells"
        response = self.session.call(ResetScene, f"{self.namespace}/simulated_robot/reset", request, 20.0, mend)
        if not response.success:
            raise RobotError(f"the simulated robot cannot build this scene: {response.message}")
        return str(response.instruction)

    def score(self) -> Score:
        """Score the scene; raises RobotError when the simulated robot does not answer."""
        mend = "is the simulated robot active? `ams doctor` tells"
        service = f"{self.namespace}/simulated_robot/score"
        response = self.session.call(ScoreScene, service, ScoreScene.Request(), 10.0, mend)
        return Score(response.placed, response.objects, response.success)

    def hear_exceptions(self, listener: Callable[[ActionException], None]) -> None:
        """Have `listener` called with every exception the monitor tells of from now on, while the session waits."""

        def hear(message: ActionExceptionMessage) -> None:
            try:
                exception = exception_of(message)
            except ConfigurationError as error:
                self.session.node.get_logger().warning(f"an exception that cannot be understood: {error}")
                return
            listener(exception)

        topic = f"{self.namespace}/exception_monitor/exception"
        self.session.node.create_subscription(ActionExceptionMessage, topic, hear, 100)

    def hear_events(self, listener: Callable[[TaskEvent], None]) -> None:
        """Have `listener` called with every line of a task's timeline from now on, while the session waits."""

        def hear(message: TaskEventMessage) -> None:
            try:
                event = event_of(message)
            except ConfigurationError as error:
                self.session.node.get_logger().warning(f"an event that cannot be understood: {error}")
                return
            listener(event)

        self.session.node.create_subscription(TaskEventMessage, f"{self.namespace}/replay_supervisor/event", hear, 100)

    def run_task(self, goal: TaskGoal, feedback: Feedback, idle: Callable[[], None]) -> RunTask.Result:
        """Run a task to its end; a KeyboardInterrupt of the session's watch cancels it and is answered by its result.

        `idle` is called several times a second in between.

        Raises RobotError when the task is refused, falls silent or does not end after a cancel.
        """
        return _TaskCall(self.session, self._task, feedback).run(goal, idle)


class _TaskCall:
    """One goal of the action RunTask."""

    def __init__(self, session: RosSession, client: ActionClient, feedback: Feedback) -> None:
        self._session, self._client = session, client
        self._feedback = feedback
        self._heard = time.monotonic()

    def run(self, goal: TaskGoal, idle: Callable[[], None]) -> RunTask.Result:
        accepted = self._client.send_goal_async(goal.message(), self._on_feedback)
        if not self._session.wait(accepted, 10.0):
            raise RobotError("the supervisor did not answer the task within 10 s: is it active? `ams doctor` tells")
        handle = accepted.result()
        if not handle.accepted:
            raise RobotError("the supervisor refuses the task: it is not active, or another task runs")
        result = handle.get_result_async()
        with suppress(KeyboardInterrupt):
            try:
                while not self._session.wait(result, 0.2):
                    self._give_up_on_silence()
                    idle()
            finally:
                if not result.done():
                    self._session.watch = nothing
                    handle.cancel_goal_async()
                    self._session.wait(result, CANCEL_SECONDS)
        if not result.done():
            raise RobotError(f"the task did not end within {CANCEL_SECONDS:g} s of its cancel: stop the robot by hand")
        return result.result().result

    def _on_feedback(self, message: RunTask.Impl.FeedbackMessage) -> None:
        self._heard = time.monotonic()
        self._feedback(status_of(message.feedback))

    def _give_up_on_silence(self) -> None:
        silent = time.monotonic() - self._heard
        if silent > 3.0 and not self._client.server_is_ready():
            raise RobotError("the supervisor is gone: its node ended while it ran the task")
        if silent > SILENCE_SECONDS:
            raise RobotError(f"the task told nothing for {SILENCE_SECONDS:g} s and was canceled; see the nodes' logs")
