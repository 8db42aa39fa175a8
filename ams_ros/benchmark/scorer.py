"""Scoring an episode by the simulator's truth while it runs: looks on, steers nothing that AMS does."""

from __future__ import annotations

import numpy as np

from ams_ros.benchmark.evidence import moments
from ams_ros.benchmark.report import Signals
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.truth import SealedPlant
from ams_ros.replay.signal import PROMISED, STILL
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.tasks import find_task
from ams_ros.types import EventKind, Float64Array, Phase, TaskEvent, TaskStatus

SETTLED_STEPS = 80
"""So long every object must have been in place before an episode ends that nobody but its scorer would end."""

_STILL_ARM, _STILL_FINGER = 0.003, 0.001
"""rad and m; a slice over which nothing moved farther is idle, whatever the replay signal's thresholds say."""

_AWAY = 0.15
"""rad; an arm with a joint farther than this from its start pose is under way."""

_LASTING = 20.0
"""Steps an object must stay in place for its job to be done."""


class Scorer:
    """Follows one episode."""

    def __init__(self, request: EvaluationRequest, plant: SealedPlant, stop: StopRequest, *, ends: bool) -> None:
        """ends: request the stop once every object has been in place for a while."""
        self._request, self._plant, self._stop, self._ends = request, plant, stop, ends
        self._task = find_task(request.task)
        self.first_success: int | None = None
        self._timeline: list[tuple[int, int]] = []
        self.job_times: list[float] = []
        self.attempts = 1
        self._seen_done = self._placed_before = 0
        self._raised = self._wrong = self._idle = self._ignored = 0
        self._before: Float64Array | None = None

    @property
    def signals(self) -> Signals:
        """What there was of the replay signal so far."""
        return Signals(self._raised, self._wrong, self._idle, self._ignored)

    def placed_steps(self, steps: int) -> tuple[int, ...]:
        """The step counts at which one more object than before was in place, in truth and for good.

        steps: of the whole episode, which has ended.
        """
        timeline = [*self._timeline, (steps, self.placed())]
        return tuple(int(step) for step in moments(timeline, _LASTING))

    def placed(self) -> int:
        """How many objects are where the task wants them, in truth."""
        with self._plant.seal.scoring():
            return self._task.placed(self._plant)

    def status(self, status: TaskStatus) -> None:
        """A phase begins."""
        self._score(status.step)
        if status.phase is Phase.EXECUTING:
            self._before = self._plant.joints().position
        elif status.phase is not Phase.RECOVERING:
            self._end_slice(noticed=status.phase is not Phase.INFERRING)
        else:
            self._before = None

    def event(self, event: TaskEvent) -> None:
        """Something was told."""
        self.attempts = max(self.attempts, event.attempt + 1)
        if event.kind is EventKind.JOB:
            self.job_times.append(event.seconds)
            self._seen_done += 1
        elif event.kind is EventKind.REPLAY:
            self._end_slice(noticed=True)
            self._judge_replay(event)

    def _score(self, step: int) -> None:
        placed = self.placed()
        if not self._timeline or self._timeline[-1][1] != placed:
            self._timeline.append((step, placed))
        if placed < self._request.objects:
            self.first_success = None
            return
        if self.first_success is None:
            self.first_success = step
        if self._ends and step - self.first_success >= SETTLED_STEPS:
            self._stop.request(f"every object has been in place for {SETTLED_STEPS} steps")

    def _end_slice(self, *, noticed: bool) -> None:
        """See whether the slice that ended moved anything. noticed: whether the task goes on otherwise than before."""
        if self._before is None:
            return
        change = np.abs(self._plant.joints().position - self._before)
        self._before = None
        if change[:-1].max() <= _STILL_ARM and change[-1] <= _STILL_FINGER:
            self._idle += 1
            self._ignored += not noticed

    def _judge_replay(self, event: TaskEvent) -> None:
        placed = self.placed()
        done = self._seen_done > 0 or placed > self._placed_before
        self._seen_done, self._placed_before = 0, placed
        if event.message not in {PROMISED, STILL}:
            # A job was seen done, or the attempt was cut off.
            return
        self._raised += 1
        away = float(np.abs(self._plant.joints().position[:-1] - self._plant.profile.start).max())
        self._wrong += not done and away > _AWAY
