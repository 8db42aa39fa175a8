"""The task "cubes": cubes of different colours on a table, to be put into a bowl (paper, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ams_ros.robot.kinematics import forward
from ams_ros.simulation.layout import (
    BOWL_CENTRE,
    BOWL_HEIGHT,
    BOWL_INNER_RADIUS,
    CUBE_SIDE,
    CubePlacement,
    SceneLayout,
)
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks.task import SceneDomain, check_scene
from ams_ros.simulation.workspace import Workspace
from ams_ros.types import Float64Array

COLOURS: tuple[tuple[float, float, float], ...] = (
    (0.85, 0.10, 0.10),
    (0.10, 0.40, 0.90),
    (0.10, 0.62, 0.18),
    (0.95, 0.80, 0.08),
    (0.55, 0.15, 0.70),
    (0.95, 0.48, 0.05),
    (0.05, 0.70, 0.75),
)
REGION_X, REGION_Y = (0.17, 0.37), (-0.21, 0.05)
BOWL_CLEARANCE = 0.155
"""Least distance of a cube from the bowl's centre, m: an open gripper fits between it and the rim."""
CUBE_CLEARANCE = 0.080
"""Least distance between cube centres, m: an open gripper fits between two cubes."""
SETTLE = 0.5
"""s in which cubes dropped into the bowl come to rest."""
_HEAP_HEIGHT = BOWL_HEIGHT + 2 * CUBE_SIDE


@dataclass(frozen=True, slots=True)
class CubesTask:
    """Scenes of 1..7 cubes."""

    name = "cubes"
    instruction = "put the cubes in the bowl"
    maximum_objects = len(COLOURS)
    kinds = ("cube",)

    def sample(
        self, seed: int, objects: int, done: int = 0, domain: SceneDomain = SceneDomain.EVALUATION
    ) -> SceneLayout:
        """Draw a scene of `objects` cubes, the last `done` of them already in the bowl; same arguments, same scene.

        Raises ConfigurationError when objects is not 1..7, done not 0..objects, or seed negative.
        """
        check_scene(seed, objects, done, self.maximum_objects)
        rng = np.random.default_rng(np.random.SeedSequence([int(domain), seed, objects, done]))
        colours = [COLOURS[index] for index in rng.permutation(len(COLOURS))[:objects]]
        places = _spread(rng, objects - done)
        return SceneLayout(cubes=place_cubes(rng, places, colours), settle=SETTLE if done else 0.0)

    def placed(self, plant: Plant) -> int:
        """How many cubes rest inside the bowl, let go of (truth: scoring and training only)."""
        centres, _ = plant.cube_poses()
        resting = inside_bowl(centres, plant.workspace) & (plant.cube_speeds() < 0.05)
        sample = plant.joints()
        _, tip = forward(plant.profile, sample.position[:-1])
        released = np.linalg.norm(centres - tip, axis=1) > CUBE_SIDE * 0.75
        return int((resting & released).sum())


def inside_bowl(
    centres: Float64Array, workspace: Workspace | None = None
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """For cube centres (n, 3) m: (n,) whether each lies within the bowl's rim or on a heap in it."""
    distance = np.linalg.norm(centres[:, :2] - (workspace or Workspace()).bowl_centre, axis=1)
    return np.asarray((distance < BOWL_INNER_RADIUS) & (centres[:, 2] < _HEAP_HEIGHT))


def place_cubes(
    rng: np.random.Generator, places: Sequence[Float64Array], colours: Sequence[tuple[float, float, float]]
) -> tuple[CubePlacement, ...]:
    """A cube of each colour: one at each of `places`, (2,) m, and those left over in the bowl."""
    cubes = [
        CubePlacement(float(x), float(y), float(rng.uniform(-np.pi / 4, np.pi / 4)), colour)
        for (x, y), colour in zip(places, colours[: len(places)], strict=True)
    ]
    cubes += [_dropped(rng, index, colour) for index, colour in enumerate(colours[len(places) :])]
    return tuple(cubes)


def _spread(rng: np.random.Generator, count: int) -> list[Float64Array]:
    """Places with room for the gripper around each; starts afresh when the drawn ones leave no room for another."""
    while True:
        places: list[Float64Array] = []
        for _ in range(400):
            if len(places) == count:
                return places
            place = np.array([rng.uniform(*REGION_X), rng.uniform(*REGION_Y)])
            if np.linalg.norm(place - BOWL_CENTRE) < BOWL_CLEARANCE:
                continue
            if all(np.linalg.norm(place - other) >= CUBE_CLEARANCE for other in places):
                places.append(place)


def _dropped(rng: np.random.Generator, index: int, colour: tuple[float, float, float]) -> CubePlacement:
    """A cube to fall into the bowl: one above the other, so that they cannot overlap before they fall."""
    radius, angle = 0.035 * np.sqrt(rng.uniform()), rng.uniform(-np.pi, np.pi)
    return CubePlacement(
        x=BOWL_CENTRE[0] + float(radius * np.cos(angle)),
        y=BOWL_CENTRE[1] + float(radius * np.sin(angle)),
        yaw=float(rng.uniform(-np.pi / 4, np.pi / 4)),
        colour=colour,
        z=0.03 + index * CUBE_SIDE * 1.5,
    )
