"""The task "mixed": cubes for the bowl and cups to be pulled down on the same table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.simulation.layout import BOWL_CENTRE, CUP_HEIGHT, CUP_RADIUS, CupPlacement, SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks.cubes import BOWL_CLEARANCE, COLOURS, CUBE_CLEARANCE, SETTLE, CubesTask, place_cubes
from ams_ros.simulation.tasks.cups import CupsTask, bearings, place_cups
from ams_ros.simulation.tasks.task import SceneDomain, check_scene
from ams_ros.types import Float64Array

_MOST_CUBES, _MOST_CUPS = 4, 3
"""No more of a kind find room beside the others."""
_BEARINGS = (np.radians(-43.5), np.radians(-15.5))
_CUBES_X, _CUBES_Y = (0.16, 0.40), (-0.10, 0.13)
_CUP_CLEARANCE = 0.058
"""Least distance of a cube's middle from where a cup stands or falls, m: an open gripper fits between them."""
_STREAM = 0x4D4958


@dataclass(frozen=True, slots=True)
class MixedTask:
    """Scenes of 1..7 objects, up to four cubes and up to three cups."""

    name = "mixed"
    instruction = "clear the table"
    maximum_objects = _MOST_CUBES + _MOST_CUPS
    kinds = ("cube", "cup")

    def sample(
        self, seed: int, objects: int, done: int = 0, domain: SceneDomain = SceneDomain.EVALUATION
    ) -> SceneLayout:
        """Draw a scene of `objects` cubes and cups, `done` of them dealt with already; same arguments, same scene.

        From two objects on there is at least one of each kind.

        Raises ConfigurationError when objects is not 1..7, done not 0..objects, or seed negative.
        """
        check_scene(seed, objects, done, self.maximum_objects)
        rng = np.random.default_rng(np.random.SeedSequence([int(domain), seed, objects, done, _STREAM]))
        fewest = max(objects - _MOST_CUBES, 1 if objects > 1 else 0)
        most = min(_MOST_CUPS, objects - 1 if objects > 1 else 1)
        cups = int(rng.integers(fewest, most + 1))
        cubes_done = int((rng.permutation(objects) < objects - cups)[:done].sum())
        return self.scene(seed, objects - cups, cups, cubes_done=cubes_done, cups_done=done - cubes_done, domain=domain)

    def scene(
        self,
        seed: int,
        cubes: int,
        cups: int,
        *,
        cubes_done: int = 0,
        cups_done: int = 0,
        domain: SceneDomain = SceneDomain.EVALUATION,
    ) -> SceneLayout:
        """Draw a scene of so many cubes, the last `cubes_done` in the bowl, and cups, the last `cups_done` lying.

        Raises ConfigurationError when cubes is not 0..4, cups not 0..3, both are 0, either done is more than there are,
        or seed is negative.
        """
        for key, count, most in (("cubes", cubes, _MOST_CUBES), ("cups", cups, _MOST_CUPS)):
            if not 0 <= count <= most:
                raise ConfigurationError(key, count, f"0..{most}")
        for key, done, count in (("cubes_done", cubes_done, cubes), ("cups_done", cups_done, cups)):
            if not 0 <= done <= count:
                raise ConfigurationError(key, done, f"0..{count}")
        check_scene(seed, cubes + cups, cubes_done + cups_done, self.maximum_objects)
        rng = np.random.default_rng(
            np.random.SeedSequence([int(domain), seed, cubes, cups, cubes_done, cups_done, _STREAM])
        )
        colours = [COLOURS[index] for index in rng.permutation(len(COLOURS))[: cubes + cups]]
        while True:
            placed_cups = place_cups(rng, bearings(rng, cups, *_BEARINGS), colours[:cups], cups_done)
            places = _beside(rng, cubes - cubes_done, placed_cups)
            if places is not None:
                break
        placed_cubes = place_cubes(rng, places, colours[cups:])
        return SceneLayout(cubes=placed_cubes, cups=placed_cups, settle=SETTLE if cubes_done else 0.0)

    def placed(self, plant: Plant) -> int:
        """How many cubes rest in the bowl and how many cups lie (truth: scoring and training only)."""
        return CubesTask().placed(plant) + CupsTask().placed(plant)


def _beside(rng: np.random.Generator, count: int, cups: tuple[CupPlacement, ...]) -> list[Float64Array] | None:
    """Places, (2,) m, for cubes clear of each other, of the bowl and of where cups stand or fall; None: no luck."""
    places: list[Float64Array] = []
    for _ in range(400):
        if len(places) == count:
            return places
        place = np.array([rng.uniform(*_CUBES_X), rng.uniform(*_CUBES_Y)])
        if (
            np.linalg.norm(place - BOWL_CENTRE) >= BOWL_CLEARANCE
            and all(np.linalg.norm(place - other) >= CUBE_CLEARANCE for other in places)
            and all(_from_fall(place, cup) >= _CUP_CLEARANCE for cup in cups)
        ):
            places.append(place)
    return None


def _from_fall(place: Float64Array, cup: CupPlacement) -> float:
    """Distance of a place (2,) m from the strip of table a cup takes, standing, falling and lying."""
    along = np.array([np.cos(cup.heading), np.sin(cup.heading)])
    off = place - (cup.x, cup.y)
    ahead, beside = float(off @ along), float(off[0] * along[1] - off[1] * along[0])
    outside = max(-CUP_RADIUS - ahead, ahead - CUP_RADIUS - CUP_HEIGHT, 0.0), max(abs(beside) - CUP_RADIUS, 0.0)
    return float(np.hypot(*outside))
