"""A user's own judge of tasks: a camera above the table, a scale, a person with a button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Judgement:
    """jobs: how many are done by now. finished: whether nothing is left to do. message: why, for people."""

    jobs: int
    finished: bool
    message: str


class Judge(Protocol):
    """Looks at a task after every slice."""

    def judge(self, task: str, instruction: str, step: int, attempt: int) -> Judgement | None:
        """Where the task stands, `step` steps executed in attempts 0..`attempt`; None when it cannot say now.

        task: name of the task description, may be empty. Never raises because the judge is away.
        """
        ...
