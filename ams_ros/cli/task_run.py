"""One task over the real nodes: fresh scene, task with progress and recordings, score."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from ams_ros.cli.graph_client import GraphClient, TaskGoal
from ams_ros.cli.overview_recording import OverviewRecording
from ams_ros.cli.pool_watch import PoolWatch
from ams_ros.cli.task_report import Score, TaskReport, TaskSettings
from ams_ros.errors import ConfigurationError
from ams_ros.types import ActionException, Mode, Phase, TaskEvent, TaskStatus

SCORE_PERIOD = 1.0
"""Seconds between two looks at the score while a task runs."""

SETTLING_SECONDS = 1.0
"""What was let go of has come to rest by then."""


class TaskListener(Protocol):
    """Who wants to see a task while it runs."""

    def begun(self, instruction: str, score: Score | None) -> None:
        """The scene stands and the task is about to be sent."""
        ...

    def moved_on(self, status: TaskStatus) -> None:
        """The supervisor told where it is."""
        ...

    def happened(self, event: TaskEvent) -> None:
        """The supervisor told a line of the task's timeline."""
        ...

    def scored(self, score: Score) -> None:
        """The simulator was asked again."""
        ...

    def excepted(self, exception: ActionException) -> None:
        """The exception monitor told what it saw and did."""
        ...


class TaskRun:
    """Runs a task on a running graph."""

    def __init__(self, client: GraphClient, settings: TaskSettings, listeners: tuple[TaskListener, ...]) -> None:
        """Run with these settings; every listener hears everything."""
        self._client, self._settings, self._listeners = client, settings, listeners
        self._next_score = 0.0
        self.filming_since: float | None = None
        """When the film of the task begins, on the steady clock; None without one."""

    def run(self, video: Path | None = None) -> TaskReport:
        """Run the task to its end or until Ctrl-C, filming the overview camera when a file is given.

        Raises RobotError when the graph, the scene or the task cannot be had, KeyboardInterrupt on Ctrl-C before it.
        """
        self._client.require_graph()
        # As early as can be: the monitor's messages reach only those it has discovered.
        self._client.hear_exceptions(self._excepted)
        self._client.hear_events(self._happened)
        simulated = self._client.simulated()
        settings, instruction = self._settings, self._settings.instruction
        if simulated:
            scene_instruction = self._client.reset(settings.task, settings.objects, settings.seed)
            instruction = instruction or scene_instruction
        score = self._client.score() if simulated else None
        if instruction is None:
            raise ConfigurationError("INSTRUCTION", None, "words: no simulated robot is there to tell its task's own")
        for listener in self._listeners:
            listener.begun(instruction, score)
        mode = Mode(settings.mode)
        goal = TaskGoal(
            instruction,
            settings.mode,
            settings.budget,
            settings.seed,
            settings.guidance,
            settings.guided_slices,
            task=settings.task if mode.replayed else "",
            jobs=settings.jobs,
        )
        pool = PoolWatch(self._client) if mode.pooled else None
        with OverviewRecording(self._client.session, video) as film:
            self.filming_since = film.first_picture
            result = self._client.run_task(goal, self._moved_on, self._look if simulated else _no_look)
            jobs = len(result.job_steps)
            self._moved_on(
                TaskStatus(Phase.ENDED, result.steps, result.inferences, result.exceptions, result.replays, jobs)
            )
            score = self._last_score(mode) if simulated else None
        return TaskReport(
            task=settings.task,
            instruction=goal.instruction,
            mode=settings.mode,
            seed=settings.seed,
            objects=settings.objects,
            success=score.success if score else None,
            placed=score.placed if score else None,
            steps=result.steps,
            inferences=result.inferences,
            exceptions=result.exceptions,
            replays=result.replays,
            seconds=result.seconds,
            policy_seconds=result.policy_seconds,
            outcome=result.outcome,
            message=result.message,
            episode=result.episode,
            guide=settings.guidance.reference if settings.guidance else "",
            guided_slices=settings.guided_slices,
            jobs=settings.jobs,
            job_steps=tuple(result.job_steps) if mode.replayed else None,
            pool=pool.use(result.inferences) if pool else None,
        )

    def _moved_on(self, status: TaskStatus) -> None:
        for listener in self._listeners:
            listener.moved_on(status)

    def _happened(self, event: TaskEvent) -> None:
        for listener in self._listeners:
            listener.happened(event)

    def _excepted(self, exception: ActionException) -> None:
        for listener in self._listeners:
            listener.excepted(exception)

    def _last_score(self, mode: Mode) -> Score:
        """What was let go of in the task's last moment may be falling still."""
        if mode.replayed:
            self._client.session.spin(SETTLING_SECONDS)
        return self._client.score()

    def _look(self) -> None:
        if time.monotonic() < self._next_score:
            return
        score = self._client.score()
        self._next_score = time.monotonic() + SCORE_PERIOD
        for listener in self._listeners:
            listener.scored(score)


def _no_look() -> None:
    """Score nothing: only a simulator knows."""
