"""The task loop: infer a slice, execute it, look again."""

from __future__ import annotations

from collections.abc import Callable

from ams_ros.errors import AmsError, ConfigurationError, InferenceError
from ams_ros.recovery.wording import left
from ams_ros.robot.protocol import Robot
from ams_ros.robot.stop_request import StopRequest
from ams_ros.supervision.protocols import Clock, Recovery, SliceSource
from ams_ros.supervision.rest import RestDetector, RestThresholds
from ams_ros.types import (
    ActionException,
    ActionSlice,
    Mode,
    Outcome,
    Phase,
    SliceRequest,
    TaskRequest,
    TaskResult,
    TaskStatus,
)


def parse_mode(text: str) -> Mode:
    """The mode of that name; raises ConfigurationError naming the allowed ones."""
    try:
        return Mode(text)
    except ValueError:
        raise ConfigurationError("mode", text, ", ".join(mode.value for mode in Mode)) from None


def slice_seed(task_seed: int, slice_index: int) -> int:
    """The noise seed of one slice: distinct per (task seed, slice index), below 2**63."""
    return (task_seed * 1_000_003 + slice_index) % 2**63


class TaskLoop:
    """Runs one task at a time on any robot and any source of slices; knows neither ROS nor the simulator."""

    def __init__(
        self,
        source: SliceSource,
        robot: Robot,
        clock: Clock,
        rest: RestThresholds,
        on_progress: Callable[[TaskStatus], None],
        *,
        recovery: Recovery | None = None,
    ) -> None:
        """Keep what a task needs; `on_progress` is called at every change of phase, in the thread of `run`.

        recovery: what handles exceptions in mode EXCEPTION; in the others an exception ends the task.
        """
        self._source, self._robot, self._clock = source, robot, clock
        self._rest = rest
        self._on_progress = on_progress
        self._recovery = recovery

    def run(self, request: TaskRequest, stop: StopRequest) -> TaskResult:
        """Run a task to its end; whatever goes wrong is told in the result, never raised.

        Ends AT_REST when the policy moves nothing for several slices, BUDGET_SPENT after `step_budget` steps,
        CANCELED soon after `stop` is requested, FAILED when robot, policy or request cannot be used, or after an
        exception that nothing here may recover from. In mode EXCEPTION a slice that an exception broke off is
        discarded: its steps that were run count, its rest is never run, and after recovery a new slice is inferred from
        a fresh observation.
        """
        recovery = self._recovery if request.mode.guarded else None
        run = _TaskRun(
            self._source,
            self._robot,
            self._clock,
            rest=RestDetector(self._rest),
            on_progress=self._on_progress,
            recovery=recovery,
        )
        return run.run(request, stop)


class _TaskRun:
    """The counters of one task."""

    def __init__(
        self,
        source: SliceSource,
        robot: Robot,
        clock: Clock,
        *,
        rest: RestDetector,
        on_progress: Callable[[TaskStatus], None],
        recovery: Recovery | None,
    ) -> None:
        self._source, self._robot, self._clock, self._rest = source, robot, clock, rest
        self._on_progress = on_progress
        self._recovery = recovery
        self._exceptions = 0
        self._steps = 0
        self._slices = 0
        self._inferences = 0
        self._policy_seconds = 0.0

    def run(self, request: TaskRequest, stop: StopRequest) -> TaskResult:
        started = self._clock.now()
        try:
            outcome, message = self._until_the_end(request, stop)
        except AmsError as error:
            outcome, message = Outcome.FAILED, str(error)
        self._report(Phase.ENDED)
        return TaskResult(
            outcome=outcome,
            message=message,
            steps=self._steps,
            inferences=self._inferences,
            exceptions=self._exceptions,
            replays=0,
            seconds=self._clock.now() - started,
            policy_seconds=self._policy_seconds,
        )

    def _until_the_end(self, request: TaskRequest, stop: StopRequest) -> tuple[Outcome, str]:
        if request.step_budget < 1:
            raise ConfigurationError("step_budget", request.step_budget, "an integer of at least 1")
        _check_guidance(request)
        if request.mode.guarded:
            if self._recovery is None:
                raise ConfigurationError("mode", request.mode.value, "direct or context: nothing here can recover")
            self._recovery.begin_task()
        while not stop.requested:
            if self._steps >= request.step_budget:
                return Outcome.BUDGET_SPENT, f"{self._steps} steps run, as many as the budget allows"
            ending = self._one_slice(request, stop)
            if ending is not None:
                return ending
        return Outcome.CANCELED, stop.reason

    def _one_slice(self, request: TaskRequest, stop: StopRequest) -> tuple[Outcome, str] | None:
        action_slice = self._infer(request, stop)
        if action_slice is None or stop.requested:
            return Outcome.CANCELED, stop.reason
        before = self._robot.joints()
        if self._recovery is not None:
            self._recovery.slice_began()
        self._report(Phase.EXECUTING)
        steps = min(action_slice.execute, request.step_budget - self._steps)
        execution = self._robot.execute(action_slice.head(steps), stop)
        self._steps += execution.steps
        if execution.exception is not None:
            return self._after_exception(execution.exception, stop)
        if stop.requested:
            return Outcome.CANCELED, stop.reason
        if not execution.completed:
            return Outcome.FAILED, execution.message
        if self._rest.observe(before, self._robot.joints()):
            return Outcome.AT_REST, "the policy has come to rest"
        return None

    def _infer(self, request: TaskRequest, stop: StopRequest) -> ActionSlice | None:
        """The next slice; None when the stop broke the wait for it off."""
        self._report(Phase.INFERRING)
        asked = self._clock.now()
        try:
            inference = self._source.infer(_slice_request(request, self._slices))
        except InferenceError:
            # A wait that the stop broke off is no failure. A RobotError during a stop stays one: nobody then knows
            # whether the arm stands still.
            if stop.requested:
                return None
            raise
        finally:
            self._policy_seconds += self._clock.now() - asked
        self._inferences += 1
        self._slices += 1
        return inference.slice

    def _after_exception(self, exception: ActionException, stop: StopRequest) -> tuple[Outcome, str] | None:
        self._exceptions += 1
        self._rest.begin_anew()
        if stop.requested and exception.stopped:
            return Outcome.CANCELED, f"{stop.reason}; {left(exception)}"
        if self._recovery is None:
            return Outcome.FAILED, left(exception)
        self._report(Phase.RECOVERING)
        try:
            reason = self._recovery.handle(exception, stop)
        finally:
            self._exceptions += self._recovery.further
        if reason is None:
            return None
        return Outcome.CANCELED if stop.requested else Outcome.FAILED, reason

    def _report(self, phase: Phase) -> None:
        self._on_progress(TaskStatus(phase, self._steps, self._slices, self._exceptions))


def _check_guidance(request: TaskRequest) -> None:
    if request.guidance is None:
        if request.guided_slices != 0:
            raise ConfigurationError("guided_slices", request.guided_slices, "0 without guidance")
        return
    if not request.mode.pooled:
        raise ConfigurationError("guidance", request.guidance.reference, "none in mode direct, which bypasses the pool")
    if request.guided_slices < 1:
        raise ConfigurationError("guided_slices", request.guided_slices, "at least 1 with guidance")


def _slice_request(request: TaskRequest, index: int) -> SliceRequest:
    return SliceRequest(
        instruction=request.instruction,
        seed=slice_seed(request.seed, index),
        episode=request.episode,
        index=index,
        bypass=not request.mode.pooled,
        guidance=request.guidance if index < request.guided_slices else None,
    )
