"""How it is known that a job is done and that a task is over, without anybody's truth but the robot's own.

Source: spec rows E2, R1; paper, sections 3.3 and 3.4 (which leaves open how the robot knows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ams_ros.types import ActionSlice, JointSample, TaskRequest, WrenchSample


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was seen done.

    part: the task part it belongs to, by its instruction. stamp: s, on the robot's clock, of the sample that settled
    it. message: what was seen, for people.
    """

    part: str
    stamp: float
    message: str


class TaskProgress(Protocol):
    """Watches one task at a time.

    `joints` and `wrench` are called from the robot's thread with every sample, and must be quick; the other methods
    from the task's.
    """

    def begin(self, request: TaskRequest) -> None:
        """A task begins. Raises ConfigurationError when it cannot be watched."""
        ...

    def joints(self, sample: JointSample) -> None:
        """A joint sample arrived (arm joints, then the gripper)."""
        ...

    def wrench(self, sample: WrenchSample) -> None:
        """A sample of the wrist sensor arrived."""
        ...

    def executing(self, action_slice: ActionSlice) -> None:
        """These steps are about to be executed."""
        ...

    def returning(self) -> None:
        """The arm is about to be brought back to the start pose, or recovered: what moves now is not the policy."""
        ...

    def jobs(self) -> tuple[Job, ...]:
        """Those seen done since the task began, in order."""
        ...

    def finished(self, step: int, attempt: int) -> str | None:
        """Why nothing is left to do, as `step` steps are executed in attempts 0..`attempt`; None when not known."""
        ...


class JobBook(Protocol):
    """Where it is written down how an attempt went: the pool, in this process or over ROS.

    Neither method raises because the pool is away.
    """

    def succeeded(self, episode: str) -> None:
        """A job was seen done in the attempt of that episode: its contexts may guide others."""
        ...

    def failed(self, episode: str) -> None:
        """The attempt of that episode came to nothing."""
        ...
