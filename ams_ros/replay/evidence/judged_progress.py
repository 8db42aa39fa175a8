"""Progress as a user's own judge sees it; until it has spoken, as the robot does."""

from __future__ import annotations

import threading

from ams_ros.errors import ConfigurationError
from ams_ros.replay.judge import Judge
from ams_ros.replay.progress import Job, TaskProgress
from ams_ros.types import ActionSlice, JointSample, TaskRequest, WrenchSample

_MOST_JOBS = 10_000
"""More than this many are not believed: the number comes from outside, and each takes up memory."""


class JudgedProgress:
    """Implements replay.progress.TaskProgress by a judge's word.

    The judge is asked by `finished`. From its first answer in a task on its count is what counts; before, and in a task
    in which it never answers, the robot's own evidence. Jobs once told are never taken back.
    """

    def __init__(self, own: TaskProgress, judge: Judge) -> None:
        """own: the robot's own evidence."""
        self._own, self._judge, self._lock = own, judge, threading.Lock()
        self._request: TaskRequest | None = None
        self._judged: tuple[Job, ...] | None = None
        self._stamp = 0.0

    def begin(self, request: TaskRequest) -> None:
        """A task begins. Raises ConfigurationError as the robot's own evidence does."""
        self._own.begin(request)
        with self._lock:
            self._request, self._judged = request, None

    def joints(self, sample: JointSample) -> None:
        """A joint sample arrived (arm joints, then the gripper)."""
        self._stamp = sample.stamp
        self._own.joints(sample)

    def wrench(self, sample: WrenchSample) -> None:
        """A sample of the wrist sensor arrived."""
        self._own.wrench(sample)

    def executing(self, action_slice: ActionSlice) -> None:
        """These steps are about to be executed."""
        self._own.executing(action_slice)

    def returning(self) -> None:
        """What moves now is not the policy."""
        self._own.returning()

    def jobs(self) -> tuple[Job, ...]:
        """Those known done since the task began, in order."""
        with self._lock:
            return self._own.jobs() if self._judged is None else self._judged

    def finished(self, step: int, attempt: int) -> str | None:
        """Ask the judge; why nothing is left to do, None when that is not known."""
        request = self._request
        if request is None:
            raise ConfigurationError("task", None, "begin before finished")
        word = self._judge.judge(request.task, request.instruction, step, attempt)
        if word is None:
            with self._lock:
                if self._judged is None:
                    return self._own.finished(step, attempt)
            return self._enough(request)
        with self._lock:
            known = self._own.jobs() if self._judged is None else self._judged
            new = Job(request.instruction, self._stamp, word.message or "the judge says so")
            self._judged = known + (new,) * max(0, min(word.jobs, _MOST_JOBS) - len(known))
        return (word.message or "the judge says that nothing is left to do") if word.finished else self._enough(request)

    def _enough(self, request: TaskRequest) -> str | None:
        done = len(self.jobs())
        return f"{done} jobs are done, {request.jobs} were asked for" if 0 < request.jobs <= done else None
