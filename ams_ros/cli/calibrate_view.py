"""What `ams calibrate` tells a person."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from ams_ros.cli.output import console, print_table
from ams_ros.exception.calibration.calibration import Calibration, Learned
from ams_ros.exception.calibration.conformal import ROOM
from ams_ros.replay.calibration import FACTOR, WINDOW, LearnedSignal


def show(found: Calibration, off: Mapping[str, str], rate: float) -> None:
    """The learned thresholds, what they are worth, and what was not learned."""
    table = Table("rule", "threshold", "was", "learned", "false alarms at most", "note", title="Thresholds")
    for each in found.learned:
        table.add_row(
            each.rule,
            each.threshold,
            _number(each.before),
            f"{each.value:g} {each.unit}".strip(),
            f"{each.rate:.2%} of good runs" if each.enough else f"not vouched for; {each.rate:.1%} without room",
            _note(each),
        )
    print_table(table)
    tally = Table("rule", "false alarms", "failures missed", title="On runs that were not learned from")
    for row in found.table:
        tally.add_row(
            row.rule,
            f"{row.false_alarms} of {found.held_out}" if found.held_out else "-",
            f"{row.missed} of {found.failures}" if found.failures else "-",
        )
    print_table(tally)
    out = console()
    if not all(each.enough for each in found.learned):
        needed = max(each.needed for each in found.learned)
        out.print(
            f"{found.runs} runs are too few for {rate:g} false alarms per run: the largest value seen times {ROOM:g} "
            f"was taken where the table says so; {needed} runs would do."
        )
    for name, reason in found.silent.items():
        out.print(f"not learned: {name}: {reason}", markup=False)
    for name, reason in off.items():
        out.print(f"off: {name}: {reason}", markup=False)


def show_signal(learned: LearnedSignal | None) -> None:
    """The thresholds of the replay signal, as parameters of the supervisor."""
    if learned is None:
        console().print(
            f"not learned: replay.arm, replay.gripper: the arm never rested for {2 * WINDOW:g} s in these runs"
        )
        return
    console().print(
        f"Replay signal, for the supervisor's parameters: replay.arm: {learned.arm:g}, replay.gripper: "
        f"{learned.gripper:g} ({FACTOR:g} times the largest change in {learned.windows} rests of {WINDOW:g} s, "
        "and not below the paper's)",
        markup=False,
    )


def _note(each: Learned) -> str:
    notes = ["too few runs"] if not each.enough else []
    if each.clipped:
        notes.append("moved into the allowed range")
    return ", ".join(notes)


def _number(value: float | tuple[float, ...]) -> str:
    return ", ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else f"{value:g}"
