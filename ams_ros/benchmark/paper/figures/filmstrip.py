"""One run as a strip of pictures (paper, Figure 16): slices, a push, stop, a job done, the way home, the next job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ams_ros.benchmark.library import make_library
from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.finding import Figure, Finding, Reports
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.rollout import Rollout
from ams_ros.benchmark.troubles import PUSHES
from ams_ros.benchmark.workplace import Workplace
from ams_ros.policy.pi0 import load_policy
from ams_ros.types import EventKind, Mode, Outcome, PixelArray, TaskEvent

_SEEDS = range(960_000, 960_012)
"""Scenes that are tried until a run shows all there is to show."""

_WIDTH, _HEIGHT = 320, 240
_ACROSS = 5
_EVERY = 8
"""Slices between two pictures of plain work."""

_SHOWN = (
    EventKind.EXCEPTION,
    EventKind.RECOVERED,
    EventKind.JOB,
    EventKind.REPLAY,
    EventKind.RETURNED,
    EventKind.ENDED,
)
_ENDS = {Outcome.EXHAUSTED.value, Outcome.FINISHED.value}
_WANTED = {EventKind.EXCEPTION, EventKind.RECOVERED, EventKind.REPLAY, EventKind.RETURNED}


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture. event: what had just happened."""

    event: TaskEvent
    pixels: PixelArray

    @property
    def title(self) -> str:
        """Step and event."""
        guided = self.event.reuse is not None and self.event.reuse.guided_by
        return f"step {self.event.step}: {'guided ' if guided else ''}{self.event.kind.value}"


def cells(request: PaperRequest) -> tuple[Cell, ...]:
    """It runs its own."""
    return ()


def make(request: PaperRequest, reports: Reports) -> Finding | None:
    """The first run that shows a push, its recovery and a replay, and clears the table."""
    if "cubes" not in request.policies:
        return None
    shown = _first_that_shows_all(request.policies["cubes"], request.folder / "libraries" / "filmstrip")
    if shown is None:
        return None
    seed, frames = shown
    _draw(frames, request.folder / "filmstrip.png")
    events: list[Mapping[str, Any]] = [
        {"step": f.event.step, "attempt": f.event.attempt, "kind": f.event.kind.value, "message": f.event.message}
        for f in frames
    ]
    return Finding(
        name="filmstrip",
        title="One run, picture by picture",
        text=(
            f"Two cubes, pushes, mode `ams`, seed {seed}: the first of the scenes from {_SEEDS.start} on in which an "
            "exception, a recovery and a replay happen and both cubes end in the bowl. It is chosen, not typical.",
        ),
        columns=("step", "attempt", "what", "told"),
        rows=tuple((str(e["step"]), str(e["attempt"]), e["kind"], e["message"]) for e in events),
        figures={"seed": seed, "events": events},
        pictures=("filmstrip.png",),
    )


def _first_that_shows_all(checkpoint: str, folder: Path) -> tuple[int, list[Frame]] | None:
    policy = load_policy(checkpoint)
    request = EvaluationRequest("cubes", Mode.AMS.value, 2, 1, _SEEDS.start, checkpoint, faults=PUSHES, until_cap=True)
    workplace = Workplace(request.robot, request.task)
    library = make_library(request, policy, workplace, folder)
    try:
        for seed in _SEEDS:
            frames: list[Frame] = []

            def take(event: TaskEvent, frames: list[Frame] = frames) -> None:
                if event.kind in _SHOWN or (event.kind is EventKind.SLICE and event.slice % _EVERY == 0):
                    frames.append(Frame(event, workplace.plant.render("overview", _WIDTH, _HEIGHT).pixels))

            rollout = Rollout(request, policy, library=library.files, workplace=workplace, on_event=take)
            episode = rollout.run(seed)
            if episode.success and episode.outcome in _ENDS and {frame.event.kind for frame in frames} >= _WANTED:
                return seed, frames
    finally:
        workplace.close()
    return None


def _draw(frames: list[Frame], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - only for a picture
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    down = -(-len(frames) // _ACROSS)
    figure = Canvas(figsize=(2.6 * _ACROSS, 2.2 * down), layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    for place, axes in enumerate(figure.subplots(down, _ACROSS, squeeze=False).flat):
        axes.set_axis_off()
        if place < len(frames):
            axes.imshow(frames[place].pixels)
            axes.set_title(frames[place].title, fontsize=8)
    figure.savefig(path)


FIGURE = Figure("filmstrip", "Figure 16", cells, make)
