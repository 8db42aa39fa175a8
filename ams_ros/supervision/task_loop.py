"""The task loop: infer a slice, execute it, look again; where nothing happens any more, go on from the start pose."""

from __future__ import annotations

from collections.abc import Callable

from ams_ros.errors import AmsError, ConfigurationError
from ams_ros.replay.replay import Replay
from ams_ros.robot.protocol import Robot
from ams_ros.robot.stop_request import StopRequest
from ams_ros.supervision.attempts import Attempts
from ams_ros.supervision.course import Course, Ground, TaskEnded
from ams_ros.supervision.protocols import Clock, Recovery, SliceSource
from ams_ros.supervision.rest import RestDetector, RestThresholds
from ams_ros.supervision.until_rest import until_rest
from ams_ros.types import Mode, Outcome, TaskEvent, TaskRequest, TaskResult, TaskStatus


def parse_mode(text: str) -> Mode:
    """The mode of that name; raises ConfigurationError naming the allowed ones."""
    try:
        return Mode(text)
    except ValueError:
        raise ConfigurationError("mode", text, ", ".join(mode.value for mode in Mode)) from None


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
        replay: Replay | None = None,
        on_event: Callable[[TaskEvent], None] | None = None,
    ) -> None:
        """Keep what a task needs.

        on_progress: called at every change of phase. on_event: with every line of the timeline. Both in the thread of
        `run`. rest: for the modes that do not replay. recovery: what handles exceptions in modes EXCEPTION and AMS; in
        the others an exception ends the task. replay: for modes RESET and AMS; in the others it only counts jobs.
        """
        self._source, self._robot, self._clock = source, robot, clock
        self._rest = rest
        self._on_progress = on_progress
        self._on_event = on_event or _to_nobody
        self._recovery = recovery
        self._replay = replay

    def run(self, request: TaskRequest, stop: StopRequest) -> TaskResult:
        """Run a task to its end; whatever goes wrong is told in the result, never raised. The robot then holds still.

        Ends AT_REST when the policy moves nothing for several slices or says that it is done; in modes that replay
        FINISHED or EXHAUSTED instead. Ends BUDGET_SPENT after `step_budget` steps, those of ways back to the start pose
        among them, or when the next way back would take more, CANCELED soon after `stop` is requested, FAILED when
        robot, policy or request cannot be used, or after an exception that nothing here may recover from. In modes
        EXCEPTION and AMS a slice that an exception broke off is discarded: its steps that were run count, its rest is
        never run, and after recovery a new slice is inferred from a fresh observation.
        """
        guarded, replay = request.mode.guarded, self._replay
        ground = Ground(
            self._source,
            self._robot,
            self._clock,
            self._on_progress,
            self._on_event,
            self._recovery if guarded else None,
            replay.progress if replay is not None else None,
        )
        course = Course(ground, request, stop)
        try:
            self._until_the_end(course)
        except TaskEnded as end:
            outcome, message = end.outcome, end.message
        except AmsError as error:
            outcome, message = Outcome.FAILED, str(error)
        finally:
            if replay is not None:
                replay.feed.pass_to(None)
        return course.result(outcome, message)

    def _until_the_end(self, course: Course) -> None:
        request, replay = course.request, self._replay
        if request.step_budget < 1:
            raise ConfigurationError("step_budget", request.step_budget, "an integer of at least 1")
        _check_guidance(request)
        self._check_mode(request.mode)
        if replay is not None:
            replay.progress.begin(request)
            replay.feed.pass_to(replay.progress)
        if request.mode.guarded and self._recovery is not None:
            self._recovery.begin_task()
        if request.mode.replayed and replay is not None:
            Attempts(course, self._robot, replay).until_the_end()
        else:
            until_rest(course, self._robot, RestDetector(self._rest))

    def _check_mode(self, mode: Mode) -> None:
        if mode.replayed and self._replay is None:
            raise ConfigurationError("mode", mode.value, "direct, context or exception: nothing here can replay")
        if mode.guarded and self._recovery is None:
            raise ConfigurationError("mode", mode.value, "direct, reset or context: nothing here can recover")
        if mode is Mode.AMS and self._replay is not None and self._replay.book is None:
            raise ConfigurationError("mode", mode.value, "direct or reset: there is no pool to write successes down in")


def _to_nobody(event: TaskEvent) -> None:
    """Tell nobody."""


def _check_guidance(request: TaskRequest) -> None:
    if request.guidance is None:
        if request.guided_slices != 0:
            raise ConfigurationError("guided_slices", request.guided_slices, "0 without guidance")
        return
    if not request.mode.pooled:
        allowed = f"none in mode {request.mode.value}, which bypasses the pool"
        raise ConfigurationError("guidance", request.guidance.reference, allowed)
    if request.mode.replayed:
        allowed = f"none in mode {request.mode.value}, which chooses its own"
        raise ConfigurationError("guidance", request.guidance.reference, allowed)
    if request.guided_slices < 1:
        raise ConfigurationError("guided_slices", request.guided_slices, "at least 1 with guidance")
