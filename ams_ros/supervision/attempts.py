"""A task of the modes that replay: attempt after attempt, each from the start pose (spec rows R1-R3)."""

from __future__ import annotations

from ams_ros.errors import AmsError, RobotError
from ams_ros.replay.attempts import Attempt, AttemptOrder
from ams_ros.replay.replay import Replay
from ams_ros.replay.return_to_start import WayBack
from ams_ros.replay.signal import PROMISED, STILL, ReplaySignal
from ams_ros.robot.protocol import Robot
from ams_ros.supervision.course import Course, TaskEnded
from ams_ros.types import ActionSlice, EventKind, Outcome

_STEP = 0.05
"""s a step takes as long as no slice has said so."""

_SLOWER = 0.5
"""Share of the speed of a way back that was not enough, with which the next one is gone."""

_GRIPPING = 1.5
"""Times the steps after which an attempt is cut off, after which it is even while something is gripped."""


class Attempts:
    """The attempts of one task."""

    def __init__(self, course: Course, robot: Robot, replay: Replay) -> None:
        """Guided by earlier successes in the modes that use the pool, from noise alone in the others."""
        request = course.request
        guided = request.mode.pooled
        instructions = replay.instructions(request.instruction) if guided else (request.instruction,)
        self._course, self._robot, self._replay = course, robot, replay
        self._order = AttemptOrder(replay.settings, instructions, guided=guided, persistent=request.jobs > 0)
        self._signal = ReplaySignal(replay.signal, replay.deadband)
        self._book = replay.book if guided else None
        self._episode = ""
        self._written = True
        self._jobs = self._began_at = 0

    def until_the_end(self) -> None:
        """Work until TaskEnded is raised, as it always is in the end."""
        self._course.check()
        self._return()
        while not self._order.exhausted:
            self._course.check()
            attempt = self._order.next()
            self._begin(attempt)
            try:
                self._make(attempt)
            except (TaskEnded, AmsError):
                # How an attempt would have gone that was broken off is not known, unless a job was seen done in it.
                self._write_success()
                raise
        raise TaskEnded(Outcome.EXHAUSTED, "no attempt brings anything any more")

    def _begin(self, attempt: Attempt) -> None:
        episode = self._course.request.episode
        self._episode = f"{episode}.{attempt.number}" if episode else ""
        self._course.begin_attempt(attempt.number, self._episode, attempt.instruction)
        self._signal.begin_anew()
        self._written = self._book is None or not self._episode
        self._jobs, self._began_at = self._course.look(), self._course.steps

    def _make(self, attempt: Attempt) -> None:
        """Make the attempt, go back, and take down how it went."""
        why = self._work(attempt)
        steps = self._course.steps - self._began_at
        self._write_success()
        self._course.tell(EventKind.REPLAY, why)
        done = self._done
        if steps:
            self._course.replays += 1
            begun = self._course.steps
            if done:
                self._let_go_home()
            self._return(begun)
        # A job may have been settled by what the last samples of the attempt were followed by.
        if self._done:
            self._write_success()
            self._order.succeeded(steps)
        else:
            self._write_failure()
            self._order.failed(moved=steps > 0)
        if self._done > done:
            self._end_if_finished(attempt)

    # One attempt.

    def _work(self, attempt: Attempt) -> str:
        """Slice after slice until the replay signal is raised; returns why it was.

        An attempt whose first slice promises to move nothing has come to nothing: the next one confirms it, with other
        noise or another success. So no context that moved nothing is ever the beginning of one that succeeded.
        """
        course, guided_episode, why = self._course, "", ""
        while not why:
            course.check()
            index = course.index
            inference = course.infer_on(self._order.guidance(attempt, index, guided_episode))
            if index == 0:
                guided_episode = inference.reuse.guided_episode
                if attempt.rank is not None and not self._order.guided_by(guided_episode):
                    return f"{guided_episode} has guided an attempt before"
            broken_off, why = self._slice(inference.slice, first=index == 0)
            if broken_off:
                guided_episode = ""
            # Who judges from outside tells jobs only when asked.
            self._end_if_finished(attempt)
            if self._done:
                return f"{self._done} done"
            if not why and self._overdue():
                why = f"{course.steps - self._began_at} steps have brought nothing"
        return why

    def _overdue(self) -> bool:
        """Whether the attempt is to be cut off: not in the middle of a grasp, nor soon while something is carried."""
        taken, longest = self._course.steps - self._began_at, self._order.longest
        if taken < longest:
            return False
        return taken >= _GRIPPING * longest or not self._replay.home.gripping(self._course.commanded)

    def _slice(self, action_slice: ActionSlice, *, first: bool) -> tuple[bool, str]:
        """Execute it unless it moves nothing; returns whether an exception broke it off, and why to replay, if so."""
        before = self._robot.joints()
        if self._signal.predicts_nothing(action_slice, before, self._course.commanded):
            over = first or self._signal.confirmed
            return False, PROMISED if over else ""
        if not self._course.execute(action_slice):
            self._signal.begin_anew()
            return True, ""
        still = self._signal.observe(before, self._robot.joints())
        return False, STILL if still else ""

    @property
    def _done(self) -> int:
        """Jobs seen done in this attempt."""
        return self._course.look() - self._jobs

    def _end_if_finished(self, attempt: Attempt) -> None:
        finished = self._replay.progress.finished(self._course.steps, attempt.number)
        if finished is not None:
            if self._done:
                self._write_success()
            else:
                self._write_failure()
            raise TaskEnded(Outcome.FINISHED, finished)

    def _write_success(self) -> None:
        """Write down that the attempt brought a job, if it did and nothing was written yet."""
        if self._book is not None and not self._written and self._done:
            self._written = True
            self._book.succeeded(self._episode)

    def _write_failure(self) -> None:
        if self._book is not None and not self._written:
            self._written = True
            self._book.failed(self._episode)

    # Between two attempts.

    def _let_go_home(self) -> None:
        """Let the policy go home after its job as long as it does: it is under way, a planned way begins at rest."""
        course, home = self._course, self._replay.home
        for _ in range(self._replay.settings.homeward):
            course.check()
            wanted = course.infer_on(None).slice
            steps = home.homeward(wanted)
            if not steps or not course.execute(wanted.head(steps)):
                return

    def _return(self, begun: int | None = None) -> None:
        """Bring the arm to the start pose, if it is not there. Raises TaskEnded or AmsError when it cannot be.

        begun: count of steps when the way there began, None for now.
        """
        course, home = self._course, self._replay.home
        begun = course.steps if begun is None else begun
        period, motions, rests = course.period or _STEP, 0, 0
        while (way := home.way(course.commanded, period, _SLOWER**motions)) is not None:
            if max(motions, rests) >= home.settings.tries:
                raise RobotError(f"the start pose was not reached in {motions} motions. The robot holds still")
            motions, rests = (motions + 1, rests) if way.motion is not None else (motions, rests + 1)
            self._go(way)
        if course.steps > begun:
            course.tell(EventKind.RETURNED, f"at the start pose after {course.steps - begun} steps")

    def _go(self, way: WayBack) -> None:
        course, home = self._course, self._replay.home
        course.check()
        if way.steps > course.steps_left:
            left = f"{course.steps_left} of the budget's {course.request.step_budget} steps are left"
            raise TaskEnded(Outcome.BUDGET_SPENT, f"the way back takes {way.steps} steps and {left}")
        course.about_to_return()
        whole = course.ran(home.go(way, course.stop))
        if not whole:
            course.commanded = None
        elif way.hold is not None:
            course.commanded = float(way.hold.gripper[-1])
