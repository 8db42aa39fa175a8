"""The task "cups": tall cups on a table, to be pulled down (paper, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ams_ros.simulation.layout import CUP_DOWN, CupPlacement, SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks.cubes import COLOURS
from ams_ros.simulation.tasks.task import SceneDomain, check_scene
from ams_ros.types import Float64Array

_DISTANCE = (0.305, 0.375)
"""From the table's origin, m: the hand reaches behind the farthest, the nearest fall clear of each other."""
_BEARINGS = (np.radians(-43.5), np.radians(51.0))
_BETWEEN = np.radians(13.0)
"""Least difference of bearings: cups fall towards the origin, and neither they nor the hand may touch a neighbour."""
_STILL = 0.2
_STREAM = 0x435550
"""Sets the draws apart from those of other tasks with the same arguments."""


@dataclass(frozen=True, slots=True)
class CupsTask:
    """Scenes of 1..7 cups."""

    name = "cups"
    instruction = "pull the cups down"
    maximum_objects = len(COLOURS)
    kinds = ("cup",)

    def sample(
        self, seed: int, objects: int, done: int = 0, domain: SceneDomain = SceneDomain.EVALUATION
    ) -> SceneLayout:
        """Draw a scene of `objects` cups, `done` of them lying already; same arguments, same scene.

        Raises ConfigurationError when objects is not 1..7, done not 0..objects, or seed negative.
        """
        check_scene(seed, objects, done, self.maximum_objects)
        rng = np.random.default_rng(np.random.SeedSequence([int(domain), seed, objects, done, _STREAM]))
        colours = [COLOURS[index] for index in rng.permutation(len(COLOURS))[:objects]]
        return SceneLayout(cups=place_cups(rng, bearings(rng, objects, *_BEARINGS), colours, done), bowl=False)

    def placed(self, plant: Plant) -> int:
        """How many cups lie (truth: scoring and training only)."""
        tilts, speeds = plant.cup_tilts()
        return int(((tilts > CUP_DOWN) & (np.abs(speeds) < _STILL)).sum())


def bearings(rng: np.random.Generator, count: int, first: float, last: float) -> Float64Array:
    """(count,) rad between `first` and `last`, in random order, with room for a cup's fall between each two."""
    slack = last - first - (count - 1) * _BETWEEN
    ordered = first + np.sort(rng.uniform(0.0, slack, count)) + np.arange(count) * _BETWEEN
    return np.asarray(rng.permutation(ordered))


def place_cups(
    rng: np.random.Generator, towards: Float64Array, colours: Sequence[tuple[float, float, float]], down: int
) -> tuple[CupPlacement, ...]:
    """A cup of each colour, one at each of the bearings `towards`, the last `down` of them lying."""
    nearest, farthest = _DISTANCE
    distances = nearest + rng.uniform(0.0, 1.0, len(towards)) * (np.minimum(farthest, _in_sight(towards)) - nearest)
    places = np.column_stack([distances * np.cos(towards), distances * np.sin(towards)])
    return tuple(
        CupPlacement(float(x), float(y), float(bearing + np.pi), colour, index >= len(towards) - down)
        for index, ((x, y), bearing, colour) in enumerate(zip(places, towards, colours, strict=True))
    )


def _in_sight(towards: Float64Array) -> Float64Array:
    """How far out, m, a standing cup may be at each bearing so that the front camera sees all of it.

    Its picture's left and right ends, at the cup's foot and brim, are where |y - 0.018| = 0.276 - 0.214 x.
    """
    right, left = (0.276 - 0.018), (0.276 + 0.018)
    return np.asarray(np.where(towards < 0.0, right, left) / (np.abs(np.sin(towards)) + 0.214 * np.cos(towards)))
