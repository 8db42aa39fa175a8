"""Controls: what a guided start is compared with so that nothing else can be the reason (spec M4)."""

from __future__ import annotations

from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.finding import Chart, Figure, Finding, Reports, share, success_point, summary
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.types import GuidanceVariant, Mode

_TIMES = (0.2, 0.35, 0.8, 0.9)
_STEPS = (5, 2, 1)


def ways(request: PaperRequest) -> dict[str, Cell]:
    """What is compared, by its name; two cubes."""
    if "cubes" not in request.policies:
        return {}
    ams, direct = (Cell("cubes", mode.value, 2, "cubes") for mode in (Mode.AMS, Mode.DIRECT))
    renoised = ams.with_variation(variant=GuidanceVariant.RENOISED)
    found = {"ams: stored latent at 0.5": ams, "re-noised action at 0.5": renoised, "direct": direct}
    if request.quick:
        return found
    found["the same starts without guidance (reset)"] = Cell("cubes", Mode.RESET.value, 2, "cubes")
    found["stored noise, every denoising step"] = ams.with_variation(variant=GuidanceVariant.NOISE)
    found |= {f"stored latent at {time:g}": ams.with_variation(start_time=time) for time in _TIMES}
    found["ams, nothing stored beforehand"] = Cell("cubes", Mode.AMS.value, 2, "cubes", library=0)
    found |= {f"direct, {steps} denoising steps": direct.with_variation(steps=steps) for steps in _STEPS}
    return found


def cells(request: PaperRequest) -> tuple[Cell, ...]:
    """Of all ways."""
    return tuple(ways(request).values())


def make(request: PaperRequest, reports: Reports) -> Finding | None:
    """A row for each way."""
    wanted = ways(request)
    if not wanted:
        return None
    rows = tuple(
        (name, share(reports[cell]), f"{reports[cell].steps_mean_capped:.0f}") for name, cell in wanted.items()
    )
    points = tuple(success_point(x, reports[cell]) for x, cell in enumerate(wanted.values()))
    places = tuple(name.replace(" at ", "\nat ").replace(", ", ",\n") for name in wanted)
    return Finding(
        name="controls",
        title="Controls, two cubes",
        text=(
            "Each differs from `ams` or `direct` in what it says and in nothing else. Steps: mean, a failure counted "
            "as 1500.",
        ),
        columns=("", "success", "steps"),
        rows=rows,
        figures={"ways": {name: summary(reports[cell]) for name, cell in wanted.items()}},
        charts=(Chart("Two cubes", "", "success, %", {"success": points}, places),),
    )


FIGURE = Figure("controls", "controls", cells, make)
