"""What a task loop is given for action replay."""

from __future__ import annotations

from dataclasses import dataclass, field

from ams_ros.replay.progress import JobBook, TaskProgress
from ams_ros.replay.progress_feed import ProgressFeed
from ams_ros.replay.return_to_start import ReturnToStart
from ams_ros.replay.settings import ReplaySettings
from ams_ros.replay.signal import SignalSettings
from ams_ros.replay.task_description import TaskDescription


@dataclass(frozen=True, slots=True)
class Replay:
    """The parts of action replay for one robot; `progress` and `task` are those of the tasks to come.

    progress: watches the tasks; in modes that do not replay it is asked too, but steers nothing. feed, home: made once
    for the lifetime of the robot. deadband: rad, of its servos. book: None where no pool is used, which mode AMS does.
    task: None when nobody described it; then the request's instruction is its only one.
    """

    progress: TaskProgress
    feed: ProgressFeed
    home: ReturnToStart
    deadband: float
    book: JobBook | None = None
    task: TaskDescription | None = None
    settings: ReplaySettings = field(default_factory=ReplaySettings)
    signal: SignalSettings = field(default_factory=SignalSettings)

    def instructions(self, instruction: str) -> tuple[str, ...]:
        """What the policy is told, one after the other: `instruction`, of the whole task, then those of its parts."""
        parts = self.task.parts if self.task is not None else ()
        return tuple(dict.fromkeys((instruction, *(part.instruction for part in parts))))
