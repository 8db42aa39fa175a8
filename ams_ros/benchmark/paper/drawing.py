"""Charts as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ams_ros.benchmark.paper.finding import Chart

_WIDTH = 0.8
"""Of all bars at one place together, in places."""


def draw(charts: Sequence[Chart], path: Path) -> None:
    """Draw the charts side by side into `path`, each point with its interval."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - only for a picture
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6.0 * len(charts), 4.0), layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    for axes, chart in zip(np.atleast_1d(figure.subplots(1, len(charts))), charts, strict=True):
        (_bars if chart.places else _lines)(axes, chart)
        axes.set(title=chart.title, xlabel=chart.across, ylabel=chart.up)
        axes.set_ylim(bottom=0.0, top=105.0 if chart.up.endswith("%") else None)
        axes.grid(axis="y", alpha=0.3)
        axes.legend(fontsize=8, framealpha=0.6)
    figure.savefig(path)


def _lines(axes: Any, chart: Chart) -> None:
    for number, label in enumerate(chart.series):
        shift = 0.04 * (number - (len(chart.series) - 1) / 2)
        across, up, errors = _columns(chart, label)
        axes.errorbar(across + shift, up, yerr=errors, marker="o", markersize=4, capsize=3, label=label)
    whole = sorted({point.x for points in chart.series.values() for point in points})
    axes.set_xticks(whole)


def _bars(axes: Any, chart: Chart) -> None:
    width = _WIDTH / len(chart.series)
    for number, label in enumerate(chart.series):
        across, up, errors = _columns(chart, label)
        shift = width * (number - (len(chart.series) - 1) / 2)
        axes.bar(across + shift, up, width, yerr=errors, capsize=2, label=label)
    axes.set_xticks(range(len(chart.places)), chart.places, fontsize=8)


def _columns(chart: Chart, label: str) -> tuple[Any, Any, Any]:
    points = chart.series[label]
    across, up = np.array([point.x for point in points]), np.array([point.y for point in points])
    below, above = (up - [point.low for point in points], [point.high for point in points] - up)
    return across, up, np.clip(np.stack([below, above]), 0.0, None)
