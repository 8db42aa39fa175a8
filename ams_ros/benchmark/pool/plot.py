"""How lookups grow with the number of contexts, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def plot_growth(points: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw exact and similarity look-ups over the number of contexts, both axes logarithmic, into `path`.

    points: the fields of pool_growth.GrowthPoint.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - only for a plot
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    contexts = [point["contexts"] for point in points]
    for label, name, unit, line in (
        ("exact", "exact_us_p50", 1.0, "o-b"),
        ("exact, 99th percentile", "exact_us_p99", 1.0, "o--b"),
        ("five most similar", "similar_ms_p50", 1e3, "s-r"),
        ("five most similar, 99th percentile", "similar_ms_p99", 1e3, "s--r"),
        ("compared with all", "similar_exact_ms", 1e3, ".-k"),
    ):
        values = [point[name] * unit for point in points]
        axes.plot(contexts, values, line, linewidth=1.2, markersize=4, label=label)
    axes.axhline(20.0, color="b", linestyle=":", label="goals of the 99th percentiles at 100,000")
    axes.axhline(2000.0, color="r", linestyle=":")
    axes.set(xscale="log", yscale="log", xlabel="contexts", ylabel="microseconds", title="Look-ups in the context pool")
    axes.grid(which="major", alpha=0.3)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)
