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
from ams_ros.types import ActionException, Phase

PLAIN_PERIOD = 5.0
"""Seconds between two plain lines that say nothing but how far it is."""


class ProgressView:
    """Shows phase, steps of the budget, slice, objects placed and exceptions; implements task_run.TaskListener.

    An exception gets a line of its own that stays, and another one once it is known whether the task got over it.
    """

    def __init__(self, console: Console, budget: int) -> None:
        """Draw on `console`."""
        self._console, self._budget = console, budget
        self._instruction, self._phase = "", "starting"
        self._step = self._slice = 0
        self._score: Score | None = None
        self._exceptions = 0
        self._open: list[int] = []
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

    def moved_on(self, phase: str, step: int, slice_index: int) -> None:
        """The supervisor told where it is."""
        over = phase == Phase.ENDED.value or (self._phase, phase) == (Phase.RECOVERING.value, Phase.INFERRING.value)
        self._phase, self._step, self._slice = phase, step, slice_index
        if self._open and over:
            which = ", ".join(map(str, self._open))
            end = "the task did not get over it" if phase == Phase.ENDED.value else "recovered, a new slice is inferred"
            self._say(f"exception {which}: {end}")
            self._open.clear()
        self._show()

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
            self._console.print(f"slice {self._slice}, step {self._step}/{self._budget}, {self._phase}{placed}")

    def _placed(self) -> str:
        return f"{self._score.placed} of {self._score.objects} placed" if self._score is not None else "unknown"

    def _panel(self) -> Panel:
        table = Table.grid(padding=(0, 2))
        table.add_row("phase", f"[bold]{self._phase}[/bold]")
        table.add_row("steps", ProgressBar(self._budget, self._step, width=40), f"{self._step}/{self._budget}")
        table.add_row("slice", str(self._slice))
        table.add_row("objects", self._placed())
        if self._exceptions:
            table.add_row("exceptions", f"{self._exceptions}{', recovering' if self._open else ''}")
        table.add_row("time", f"{time.monotonic() - self._begun:.0f} s")
        return Panel(table, title=self._instruction, title_align="left", width=78)
