"""A running task on the terminal: a live panel, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from ams_ros.cli.task_report import Score
from ams_ros.recovery.wording import told
from ams_ros.types import ActionException, EventKind, Phase, TaskEvent, TaskStatus

PLAIN_PERIOD = 5.0
"""Seconds between two plain lines that say nothing but how far it is."""

_AFTER_RECOVERY = {
    Phase.INFERRING: "recovered, a new slice is inferred",
    Phase.REPLAYING: "recovered, the way back to the start pose goes on",
}


class ProgressView:
    """Shows phase, steps of the budget, slice, objects placed, jobs, attempts, exceptions; a task_run.TaskListener.

    An exception gets a line of its own that stays, and another one once it is known whether the task got over it. So do
    a job that was seen done and an attempt that came to its end.
    """

    def __init__(self, console: Console, budget: int, jobs: int = 0) -> None:
        """Draw on `console`. budget: steps; jobs: how many are to be done, 0 for not known."""
        self._console, self._budget, self._jobs = console, budget, jobs
        self._instruction = ""
        self._status: TaskStatus | None = None
        self._score: Score | None = None
        self._exceptions = 0
        self._open: list[int] = []
        self._settled: tuple[int, int] | None = None
        self._begun = time.monotonic()
        self._next_plain = 0.0
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None

    def __enter__(self) -> ProgressView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def begun(self, instruction: str, score: Score | None) -> None:
        """The scene stands."""
        self._instruction, self._score, self._begun = instruction, score, time.monotonic()
        if self._live is None:
            self._console.print(f"task: {instruction}")
        self._show()

    def moved_on(self, status: TaskStatus) -> None:
        """The supervisor told where it is."""
        before, self._status = self._status, status
        recovered = before is not None and before.phase is Phase.RECOVERING and status.phase in _AFTER_RECOVERY
        if self._open and (recovered or status.phase is Phase.ENDED):
            which = ", ".join(map(str, self._open))
            self._say(f"exception {which}: {_AFTER_RECOVERY.get(status.phase, 'the task did not get over it')}")
            self._open.clear()
        self._show()

    def happened(self, event: TaskEvent) -> None:
        """The supervisor told a line of the task's timeline."""
        settled, self._settled = self._settled, (event.attempt, event.step) if event.kind is EventKind.JOB else None
        # That a job is done was just told.
        if event.kind is EventKind.JOB or (event.kind is EventKind.REPLAY and settled != (event.attempt, event.step)):
            self._say(f"attempt {event.attempt + 1}, step {event.step}: {event.message}")

    def excepted(self, exception: ActionException) -> None:
        """The exception monitor told what it saw and did."""
        where = f"slice {exception.slice + 1}" if exception.slice >= 0 else ""
        how = f"stopped by {exception.stage.value}" if exception.stopped else ""
        more = ", ".join(filter(None, (where, how)))
        self._say(f"{told(exception)}{f' [{more}]' if more else ''}")
        if exception.acted:
            self._exceptions += 1
            self._open.append(exception.number)
        self._show()

    def _say(self, line: str) -> None:
        """Above the panel, where there is one."""
        self._console.print(line, markup=False)

    def scored(self, score: Score) -> None:
        """The simulator was asked again."""
        news = self._score is None or score.placed != self._score.placed
        self._score = score
        self._show(news)

    def _show(self, news: bool = False) -> None:
        if self._live is not None:
            self._live.update(self._panel())
        elif news or time.monotonic() >= self._next_plain:
            self._next_plain = time.monotonic() + PLAIN_PERIOD
            placed = f", {self._placed()}" if self._score is not None else ""
            step, number = self._counted("step"), self._counted("slice")
            more = f", {self._seen()} seen done" if self._replays() else ""
            self._console.print(f"slice {number}, step {step}/{self._budget}, {self._phase()}{placed}{more}")

    def _phase(self) -> str:
        return self._status.phase.value if self._status is not None else "starting"

    def _counted(self, name: str) -> int:
        return getattr(self._status, name) if self._status is not None else 0

    def _replays(self) -> bool:
        """Whether there is anything to tell of replay."""
        return bool(self._jobs or self._counted("jobs") or self._counted("replays"))

    def _seen(self) -> str:
        seen = self._counted("jobs")
        return f"{seen} of {self._jobs} jobs" if self._jobs else f"{seen} job{'' if seen == 1 else 's'}"

    def _placed(self) -> str:
        return f"{self._score.placed} of {self._score.objects} placed" if self._score is not None else "unknown"

    def _panel(self) -> Panel:
        table = Table.grid(padding=(0, 2))
        step = self._counted("step")
        table.add_row("phase", f"[bold]{self._phase()}[/bold]")
        table.add_row("steps", ProgressBar(self._budget, step, width=40), f"{step}/{self._budget}")
        table.add_row("slice", str(self._counted("slice")))
        table.add_row("objects", self._placed())
        if self._replays():
            table.add_row("seen done", self._seen())
            table.add_row("replays", str(self._counted("replays")))
        if self._exceptions:
            table.add_row("exceptions", f"{self._exceptions}{', recovering' if self._open else ''}")
        table.add_row("time", f"{time.monotonic() - self._begun:.0f} s")
        return Panel(table, title=self._instruction, title_align="left", width=78)
