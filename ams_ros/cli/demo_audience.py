"""Who hears of a run: each line once, however many subscriptions bring it, and nothing once the run is over."""

from __future__ import annotations

from ams_ros.cli.task_report import Score
from ams_ros.cli.task_run import TaskListener
from ams_ros.types import ActionException, TaskEvent, TaskStatus


class Audience:
    """Passes a run on to its listeners; implements task_run.TaskListener.

    A publisher's messages reach only those it has discovered, and what is subscribed to with a task may be discovered
    after its first lines. So the same lines may come from a subscription that is older than the run as well.
    """

    def __init__(self, listeners: tuple[TaskListener, ...]) -> None:
        """Pass on to these."""
        self._listeners = listeners
        self._events: list[TaskEvent] = []
        self._numbers: set[int] = set()

    def leave(self) -> None:
        """Pass on nothing any more."""
        self._listeners = ()

    def begun(self, instruction: str, score: Score | None) -> None:
        """The scene stands."""
        for listener in self._listeners:
            listener.begun(instruction, score)

    def moved_on(self, status: TaskStatus) -> None:
        """The supervisor told where it is."""
        for listener in self._listeners:
            listener.moved_on(status)

    def happened(self, event: TaskEvent) -> None:
        """The supervisor told a line of the timeline."""
        if event in self._events:
            return
        self._events.append(event)
        for listener in self._listeners:
            listener.happened(event)

    def scored(self, score: Score) -> None:
        """The simulator was asked again."""
        for listener in self._listeners:
            listener.scored(score)

    def excepted(self, exception: ActionException) -> None:
        """The exception monitor told what it saw and did."""
        if exception.number in self._numbers:
            return
        self._numbers.add(exception.number)
        for listener in self._listeners:
            listener.excepted(exception)
