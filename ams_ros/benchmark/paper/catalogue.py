"""All figures and tables there are."""

from __future__ import annotations

from ams_ros.benchmark.paper.figures import (
    ablation,
    controls,
    evidence,
    executions,
    filmstrip,
    storage,
    success,
    thresholds,
    throughput,
    training_seeds,
)
from ams_ros.benchmark.paper.finding import Figure
from ams_ros.errors import ConfigurationError

FIGURES: tuple[Figure, ...] = (
    *(table.figure() for table in success.TABLES),
    training_seeds.FIGURE,
    executions.FIGURE,
    throughput.FIGURE,
    ablation.FIGURE,
    thresholds.FIGURE,
    controls.FIGURE,
    evidence.FIGURE,
    storage.FIGURE,
    filmstrip.FIGURE,
)


def find_figures(names: tuple[str, ...]) -> tuple[Figure, ...]:
    """Those of these names, in the catalogue's order; raises ConfigurationError for an unknown one."""
    known = {figure.name: figure for figure in FIGURES}
    for name in names:
        if name not in known:
            raise ConfigurationError("only", name, ", ".join(known))
    return tuple(figure for figure in FIGURES if figure.name in names)
