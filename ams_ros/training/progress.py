"""Showing how a training run is going."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ams_ros.training.training_state import TrainingRecord


class TrainingProgress:
    """A bar with losses, throughput and remaining time; where there is no terminal, one line per measurement."""

    def __init__(self, console: Console, iterations: int, begun: int, seconds: float) -> None:
        """`begun`, `seconds`: iterations done before, and the time they took, when a run is taken up again."""
        self._console = console
        self._begun, self._seconds = begun, seconds
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[losses]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=iterations, completed=begun, losses="")

    def __enter__(self) -> TrainingProgress:
        """Start drawing."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing."""
        self._bar.stop()

    def show(self, record: TrainingRecord) -> None:
        """Take up a new record."""
        speed = (record.iteration - self._begun) / max(record.seconds - self._seconds, 1e-9)
        losses = f"flow {record.flow:.4f}  auxiliary {record.auxiliary:.3f}  {speed:.1f} it/s"
        self._bar.update(self._task, completed=record.iteration, losses=losses)
        if record.held_out is not None:
            self._console.print(
                f"iteration {record.iteration}: {losses}  held out {record.held_out:.4f}", highlight=False
            )
