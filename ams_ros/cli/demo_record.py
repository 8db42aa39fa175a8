"""What a demonstration run leaves behind for its page: spans of phases, joint positions, report, settings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ams_ros.cli.task_report import Score, TaskReport
from ams_ros.types import ActionException, Phase, TaskEvent, TaskStatus


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """One phase of one slice.

    slice: counted from 1. step: executed when the phase began. begin, end: seconds since the task began.
    """

    phase: str
    slice: int
    step: int
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class JointTrace:
    """Joint positions over a task: per sample its seconds since the task began and one value per name."""

    names: tuple[str, ...]
    times: tuple[float, ...]
    positions: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class DemoRecord:
    """Everything a demo page shows.

    video: an H.264 mp4, or None when there is none.
    video_begin: position in the video, in seconds, at which the task began.
    settings: what was run with, by name.
    """

    report: TaskReport
    spans: tuple[PhaseSpan, ...]
    joints: JointTrace
    video: bytes | None
    video_begin: float
    settings: Mapping[str, str]


@dataclass
class PhaseLog:
    """Collects the phases of a running task on the wall clock; implements task_run.TaskListener."""

    begin: float | None = None
    spans: list[PhaseSpan] = field(default_factory=list)
    _open: tuple[Phase, int, int, float] | None = None

    def begun(self, instruction: str, score: Score | None) -> None:
        """Nothing to note: the task's own first feedback starts its time."""

    def scored(self, score: Score) -> None:
        """Nothing to note."""

    def excepted(self, exception: ActionException) -> None:
        """Nothing to note: the phase that follows tells of it."""

    def happened(self, event: TaskEvent) -> None:
        """Nothing to note: the phases tell enough of a task that does not replay."""

    def moved_on(self, status: TaskStatus) -> None:
        """Close the phase before and open this one."""
        now, phase = time.monotonic(), status.phase
        self.begin = now if self.begin is None else self.begin
        if self._open is not None:
            before, its_slice, its_step, opened = self._open
            self.spans.append(PhaseSpan(before.value, its_slice, its_step, opened - self.begin, now - self.begin))
        # The supervisor counts a slice once it has been inferred; here the inference belongs to the slice it gives.
        number = status.slice + 1 if phase is Phase.INFERRING else status.slice
        self._open = None if phase is Phase.ENDED else (phase, number, status.step, now)
