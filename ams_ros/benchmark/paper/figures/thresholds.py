"""How much the thresholds of the replay signal matter (paper, Table 4)."""

from __future__ import annotations

from statistics import fmean

from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.figures.executions import executions
from ams_ros.benchmark.paper.finding import Chart, Figure, Finding, Reports, share, success_point, summary
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.types import Mode

PAIRS = ((1e-5, 0.001), (1e-4, 0.001), (1e-1, 0.001), (1e-5, 0.0005), (1e-5, 0.005), (1e-5, 0.010))
"""The paper's six, its gripper units read as millimetres: rad of any arm joint, m of a finger."""

_QUICK = (0, 2, 5)


def cells(request: PaperRequest) -> tuple[Cell, ...]:
    """Two cubes."""
    if "cubes" not in request.policies:
        return ()
    pairs = [PAIRS[number] for number in _QUICK] if request.quick else PAIRS
    plain = Cell("cubes", Mode.AMS.value, 2, "cubes")
    # The first pair is what is shipped, and so is its cell.
    return tuple(plain if pair == PAIRS[0] else plain.with_variation(arm=pair[0], gripper=pair[1]) for pair in pairs)


def make(request: PaperRequest, reports: Reports) -> Finding | None:
    """A row for each pair."""
    wanted = cells(request)
    if not wanted:
        return None
    rows, figures = [], []
    for cell in wanted:
        report, (arm, gripper) = reports[cell], _pair(cell)
        parts, signals = executions(report), [episode.signals for episode in report.per_episode]
        counts = {
            key: sum(getattr(each, key) for each in signals)
            for key in ("raised", "false_positives", "idle", "false_negatives")
        }
        first, second = parts["first_steps"]["mean"], parts["second_steps"]["mean"]
        rows.append(
            (
                f"{arm:g}",
                f"{gripper * 1e3:g}",
                share(report),
                *("-" if value is None else f"{value:.0f}" for value in (first, second)),
                *(str(counts[key]) for key in counts),
                f"{fmean(episode.attempts for episode in report.per_episode):.1f}",
            )
        )
        figures.append({"arm": arm, "gripper": gripper, **counts, **parts, **summary(report)})
    places = tuple(f"{arm:g}, {1e3 * gripper:g} mm" for arm, gripper in map(_pair, wanted))
    points = tuple(success_point(x, reports[cell]) for x, cell in enumerate(wanted))
    return Finding(
        name="thresholds",
        title="Thresholds of the replay signal, two cubes",
        text=(
            "*Signals*: raised because of what moved, or of what a slice promised to move; not those of a job seen "
            "done, nor attempts cut off. *False positive*: raised while a job was under way, that is with none done "
            "in the attempt, in truth or by evidence, and an arm joint more than 0.15 rad from the start pose. "
            "*Idle*: slices that were executed and moved no joint by 0.003 rad and no finger by 1 mm; *false "
            "negatives*: those after which the task went on as before. The gripper of the paper's table is in units "
            "it does not name, taken as millimetres here.",
        ),
        columns=(
            *("arm, rad", "gripper, mm", "success", "1st", "2nd"),
            *("signals", "false positives", "idle", "false negatives", "attempts"),
        ),
        rows=tuple(rows),
        figures={"pairs": figures},
        charts=(Chart("Two cubes, AMS", "arm and gripper threshold", "success, %", {"ams": points}, places),),
    )


def _pair(cell: Cell) -> tuple[float, float]:
    return cell.variation.arm or PAIRS[0][0], cell.variation.gripper or PAIRS[0][1]


FIGURE = Figure("thresholds", "Table 4", cells, make)
