"""Drawings of a demo page as inline SVG; colours are classes that the page's style sheet fills."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ams_ros.cli.demo_record import JointTrace, PhaseSpan

WIDTH = 960
LEFT, RIGHT = 72, 12
TIMELINE_HEIGHT = 92
PLOT_HEIGHT = 230
GRIPPER_HEIGHT = 120
POINTS = 600
"""Samples drawn per joint; more would not be seen."""


def timeline(spans: Sequence[PhaseSpan], seconds: float) -> str:
    """Inferring and executing of every slice on a common time axis of `seconds`."""
    scale = _Scale(seconds)
    rows = {"inferring": 8, "executing": 38}
    drawn = [f'<text class="label" x="0" y="{top + 17}">{phase}</text>' for phase, top in rows.items()]
    for span in spans:
        if span.phase not in rows:
            continue
        x, width = scale.x(span.begin), max(scale.x(span.end) - scale.x(span.begin), 1.0)
        tip = f"slice {span.slice}: {span.phase} {span.seconds * 1000:.0f} ms, from step {span.step}"
        parity = "even" if span.slice % 2 == 0 else "odd"
        drawn.append(
            f'<rect class="{escape(span.phase)} {parity}" x="{x:.1f}" y="{rows[span.phase]}" '
            f'width="{width:.1f}" height="24" rx="2"><title>{escape(tip)}</title></rect>'
        )
    return _svg(TIMELINE_HEIGHT, [*drawn, *scale.axis(TIMELINE_HEIGHT - 22)], "Phases of every slice over time")


def joint_plot(trace: JointTrace, seconds: float) -> str:
    """Arm joint positions in rad over time."""
    arm = range(len(trace.names) - 1)
    return _plot(trace, list(arm), seconds, _Axis(PLOT_HEIGHT, 1.0, "rad"))


def gripper_plot(trace: JointTrace, seconds: float) -> str:
    """Finger position in mm over time."""
    return _plot(trace, [len(trace.names) - 1], seconds, _Axis(GRIPPER_HEIGHT, 1000.0, "mm"))


@dataclass(frozen=True, slots=True)
class _Axis:
    """The vertical axis of a plot: height in pixels, and what turns SI units into the drawn unit."""

    height: int
    factor: float
    unit: str


class _Scale:
    """Seconds to horizontal pixels."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(seconds, 1e-3)

    def x(self, second: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(second / self.seconds, 0.0), 1.0)

    def axis(self, top: float) -> list[str]:
        step = _round_step(self.seconds, 10)
        drawn = [f'<line class="axis" x1="{LEFT}" y1="{top}" x2="{WIDTH - RIGHT}" y2="{top}"/>']
        for index in range(math.floor(self.seconds / step + 1e-9) + 1):
            x = self.x(index * step)
            drawn.append(f'<line class="axis" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + 4}"/>')
            drawn.append(f'<text class="tick middle" x="{x:.1f}" y="{top + 17}">{index * step:g} s</text>')
        return drawn


def _plot(trace: JointTrace, rows: list[int], seconds: float, axis: _Axis) -> str:
    if not trace.times:
        return '<p class="missing">No joint states were received.</p>'
    scale, bottom, factor = _Scale(seconds), axis.height - 24.0, axis.factor
    values = [[sample[row] * factor for sample in trace.positions] for row in rows]
    low, high = min(map(min, values)), max(map(max, values))
    margin = max((high - low) * 0.06, 1e-3 * factor)
    low, high = low - margin, high + margin

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - 8.0)

    drawn = scale.axis(bottom)
    step = _round_step(high - low, 6)
    for index in range(math.ceil(low / step), math.floor(high / step) + 1):
        level = y(index * step)
        drawn.append(f'<line class="grid" x1="{LEFT}" y1="{level:.1f}" x2="{WIDTH - RIGHT}" y2="{level:.1f}"/>')
        drawn.append(f'<text class="tick end" x="{LEFT - 8}" y="{level + 4:.1f}">{round(index * step, 6):g}</text>')
    drawn.append(f'<text class="label" x="0" y="14">{axis.unit}</text>')
    kept = range(0, len(trace.times), math.ceil(len(trace.times) / POINTS))
    for row, series in zip(rows, values, strict=True):
        points = " ".join(f"{scale.x(trace.times[at]):.1f},{y(series[at]):.1f}" for at in kept)
        name = escape(trace.names[row])
        drawn.append(f'<polyline class="line joint{row}" points="{points}"><title>{name}</title></polyline>')
    return _svg(axis.height, drawn, f"Positions in {axis.unit} over time")


def _svg(height: int, drawn: Sequence[str], label: str) -> str:
    playhead = f'<line class="playhead" x1="{LEFT}" y1="0" x2="{LEFT}" y2="{height}"/>'
    body = "\n".join([*drawn, playhead])
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">\n{body}\n</svg>'


def _round_step(span: float, most: int) -> float:
    """The smallest 1, 2 or 5 times a power of ten that divides `span` into at most `most` parts."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most)
