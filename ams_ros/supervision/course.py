"""What the tasks of all modes share: inference, execution, exceptions, what is counted and what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ams_ros.errors import InferenceError
from ams_ros.recovery.wording import left, told
from ams_ros.replay.progress import TaskProgress
from ams_ros.robot.protocol import Robot
from ams_ros.robot.stop_request import StopRequest
from ams_ros.supervision.protocols import Clock, Recovery, SliceSource
from ams_ros.types import (
    ActionException,
    ActionSlice,
    EventKind,
    Execution,
    Guidance,
    Inference,
    Outcome,
    Phase,
    ReuseReport,
    SliceRequest,
    TaskEvent,
    TaskRequest,
    TaskResult,
    TaskStatus,
)


class TaskEnded(Exception):
    """The task is over. It is raised rather than returned, as a task may end at any depth of what it is doing."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        """Say how it ended, and why."""
        super().__init__(message)
        self.outcome, self.message = outcome, message


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What a task works with. recovery, progress: None where nobody recovers or watches."""

    source: SliceSource
    robot: Robot
    clock: Clock
    on_progress: Callable[[TaskStatus], None]
    on_event: Callable[[TaskEvent], None]
    recovery: Recovery | None
    progress: TaskProgress | None


class Course:
    """The course of one task, attempt by attempt; a mode that does not replay has one."""

    def __init__(self, ground: Ground, request: TaskRequest, stop: StopRequest) -> None:
        """Begin attempt 0 now."""
        self.request, self.stop = request, stop
        self.steps = 0
        """Executed so far, by the policy and on ways back."""
        self.replays = 0
        self.commanded: float | None = None
        """Finger target last executed, m; None while it is not known."""
        self.period: float | None = None
        """s of a step of the newest slice."""
        self._ground = ground
        self._exceptions = self._inferences = 0
        self._policy_seconds = 0.0
        self._job_steps: tuple[int, ...] = ()
        self._began = ground.clock.now()
        self.begin_attempt(0, request.episode, request.instruction)

    def begin_attempt(self, number: int, episode: str, instruction: str) -> None:
        """What follows belongs to that attempt, its slices counted from 0."""
        self._attempt, self._episode, self._instruction, self._index = number, episode, instruction, 0

    # Acting.

    def check(self) -> None:
        """Raise TaskEnded when the task was canceled or its budget is spent."""
        if self.stop.requested:
            raise TaskEnded(Outcome.CANCELED, self.stop.reason)
        if self.steps >= self.request.step_budget:
            raise TaskEnded(Outcome.BUDGET_SPENT, f"{self.steps} steps run, as many as the budget allows")

    @property
    def steps_left(self) -> int:
        """Of the budget."""
        return self.request.step_budget - self.steps

    @property
    def index(self) -> int:
        """Of the next slice within the attempt."""
        return self._index

    def infer_on(self, guidance: Guidance | None) -> Inference:
        """As `infer`, but from noise where what should have guided is gone meanwhile."""
        try:
            return self.infer(guidance)
        except InferenceError as error:
            if guidance is None:
                raise
            return self.infer(None, f", as {error}")

    def infer(self, guidance: Guidance | None, reason: str = "") -> Inference:
        """Infer the next slice. reason: told behind where it came from. Raises TaskEnded when that was broken off."""
        self.report(Phase.INFERRING)
        asked = self._ground.clock.now()
        try:
            inference = self._ground.source.infer(self._slice_request(guidance))
        except InferenceError:
            # A wait that the stop broke off is no failure. A RobotError during a stop stays one: nobody then knows
            # whether the arm stands still.
            if self.stop.requested:
                raise TaskEnded(Outcome.CANCELED, self.stop.reason) from None
            raise
        finally:
            self._policy_seconds += self._ground.clock.now() - asked
        self._inferences += 1
        self._index += 1
        self.period = inference.slice.period
        self.tell(EventKind.SLICE, _origin(inference.reuse) + reason, inference.slice.context_id, inference.reuse)
        if self.stop.requested:
            raise TaskEnded(Outcome.CANCELED, self.stop.reason)
        return inference

    def execute(self, action_slice: ActionSlice) -> bool:
        """Run what of the slice is to be run and the budget allows.

        Returns False when an exception broke it off and the robot is back: the rest of the slice is discarded.
        """
        head = action_slice.head(min(action_slice.execute, self.steps_left))
        if self._ground.recovery is not None:
            self._ground.recovery.slice_began()
        self.report(Phase.EXECUTING)
        if self._ground.progress is not None:
            self._ground.progress.executing(head)
        execution = self._ground.robot.execute(head, self.stop)
        whole = self.ran(execution)
        self.commanded = float(head.gripper[-1]) if whole else None
        if whole or execution.exception is not None:
            return whole
        raise TaskEnded(Outcome.FAILED, execution.message)

    def ran(self, execution: Execution) -> bool:
        """Something was executed: count it and see to what went wrong.

        Returns whether it ran to its end. Raises TaskEnded when it was canceled, or after an exception that ends the
        task.
        """
        self.steps += execution.steps
        if execution.exception is not None:
            self._recover(execution.exception)
            return False
        if self.stop.requested:
            raise TaskEnded(Outcome.CANCELED, self.stop.reason)
        return execution.completed

    def about_to_return(self) -> None:
        """The arm is brought back to the start pose next."""
        self.report(Phase.REPLAYING)
        if self._ground.recovery is not None:
            self._ground.recovery.slice_began()
        if self._ground.progress is not None:
            self._ground.progress.returning()

    def _recover(self, exception: ActionException) -> None:
        self._exceptions += 1
        self.tell(EventKind.EXCEPTION, told(exception), exception.context_id)
        if self.stop.requested and exception.stopped:
            raise TaskEnded(Outcome.CANCELED, f"{self.stop.reason}; {left(exception)}")
        recovery = self._ground.recovery
        if recovery is None:
            raise TaskEnded(Outcome.FAILED, left(exception))
        self.report(Phase.RECOVERING)
        if self._ground.progress is not None:
            self._ground.progress.returning()
        try:
            reason = recovery.handle(exception, self.stop)
        finally:
            self._exceptions += recovery.further
        if reason is not None:
            raise TaskEnded(Outcome.CANCELED if self.stop.requested else Outcome.FAILED, reason)
        self.tell(EventKind.RECOVERED, f"back after exception {exception.number}; a fresh slice is inferred")

    # Knowing.

    def look(self) -> int:
        """Take down what was seen done by now; returns how many jobs that makes."""
        if self._ground.progress is not None:
            for job in self._ground.progress.jobs()[len(self._job_steps) :]:
                self._job_steps += (self.steps,)
                self.tell(EventKind.JOB, job.message)
        return len(self._job_steps)

    # Telling.

    def report(self, phase: Phase) -> None:
        """Tell where the task stands."""
        status = TaskStatus(phase, self.steps, self._inferences, self._exceptions, self.replays, len(self._job_steps))
        self._ground.on_progress(status)

    def tell(self, kind: EventKind, message: str, context_id: str = "", reuse: ReuseReport | None = None) -> None:
        """Add a line to the timeline."""
        seconds = self._ground.clock.now() - self._began
        event = TaskEvent(
            kind, seconds, self.steps, self._attempt, self._index - 1, message, self._episode, context_id, reuse
        )
        self._ground.on_event(event)

    def result(self, outcome: Outcome, message: str) -> TaskResult:
        """How the task went, now that it is over; tells so as well."""
        self.look()
        self.tell(EventKind.ENDED, f"{outcome.value}: {message}")
        self.report(Phase.ENDED)
        return TaskResult(
            outcome=outcome,
            message=message,
            steps=self.steps,
            inferences=self._inferences,
            exceptions=self._exceptions,
            replays=self.replays,
            seconds=self._ground.clock.now() - self._began,
            policy_seconds=self._policy_seconds,
            job_steps=self._job_steps,
        )

    def _slice_request(self, guidance: Guidance | None) -> SliceRequest:
        return SliceRequest(
            instruction=self._instruction,
            seed=slice_seed(self.request.seed, self._inferences),
            episode=self._episode,
            index=self._index,
            bypass=not self.request.mode.pooled,
            guidance=guidance,
        )


def slice_seed(task_seed: int, slice_index: int) -> int:
    """The noise seed of one slice: distinct per (task seed, number of the slice in the task), below 2**63."""
    return (task_seed * 1_000_003 + slice_index) % 2**63


def _origin(reuse: ReuseReport) -> str:
    if not reuse.guided_by:
        return "from noise"
    return f"guided by {reuse.guided_by} from time {reuse.start_time:g} on"
