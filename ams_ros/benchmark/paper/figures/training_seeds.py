"""The headline cell with policies from other training seeds (in the place of Figure 17's retrained policies)."""

from __future__ import annotations

from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.finding import Chart, Figure, Finding, Reports, share, success_point, summary
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.types import Mode

_MODES = (Mode.DIRECT.value, Mode.AMS.value)
_COUNTS = (1, 2, 3)


def cells(request: PaperRequest) -> tuple[Cell, ...]:
    """None with one training seed only."""
    if request.quick or len(request.seeds) < 2 or "cubes" not in request.policies:
        return ()
    return tuple(Cell("cubes", mode, n, word) for word in request.seeds for mode in _MODES for n in _COUNTS)


def make(request: PaperRequest, reports: Reports) -> Finding | None:
    """A row for each training seed and number of objects."""
    wanted = cells(request)
    if not wanted:
        return None
    of = {(cell.policy, cell.mode, cell.objects): reports[cell] for cell in wanted}
    rows = tuple(
        (word, str(n), *(share(of[word, mode, n]) for mode in _MODES)) for word in request.seeds for n in _COUNTS
    )
    series = {
        f"{mode}, {word}": tuple(success_point(n, of[word, mode, n]) for n in _COUNTS)
        for word in request.seeds
        for mode in _MODES
    }
    return Finding(
        name="training_seeds",
        title="Other training seeds",
        text=(
            "The paper's Figure 17 compares with policies retrained on 3 and 6 objects. None are shipped here, so that "
            "comparison is not made; this says instead how much the figures depend on the seed of one training run.",
        ),
        columns=("policy", "cubes", *_MODES),
        rows=rows,
        figures={"cells": [{"policy": cell.policy, **summary(reports[cell])} for cell in wanted]},
        charts=(Chart("Success by training seed", "cubes", "success, %", series),),
    )


FIGURE = Figure("training_seeds", "Figure 17", cells, make)
