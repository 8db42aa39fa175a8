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
    for label, values, colour in (
        ("exact, 99th percentile", [point["exact_us_p99"] for point in points], "tab:blue"),
        ("five most similar, 99th percentile", [point["similar_ms_p99"] * 1e3 for point in points], "tab:orange"),
        ("five most similar, compared with all", [point["similar_exact_ms"] * 1e3 for point in points], "tab:grey"),
    ):
        axes.plot(contexts, values, "o-", color=colour, label=label)
    axes.axhline(20.0, color="tab:blue", linestyle=":", label="goals at 100,000")
    axes.axhline(2000.0, color="tab:orange", linestyle=":")
    axes.set(xscale="log", yscale="log", xlabel="contexts", ylabel="microseconds", title="Look-ups in the context pool")
    axes.grid(which="major", alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
