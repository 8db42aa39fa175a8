"""The scenes `ams bench reuse` tries every way to infer on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SceneSet:
    """Scenes of `objects` cubes, `in_bowl` of them in the bowl from the start."""

    name: str
    objects: int
    in_bowl: int = 0


ONE_CUBE = SceneSet("one cube", 1)
TWO_CUBES = SceneSet("two cubes", 2)
ONE_LEFT = SceneSet("two cubes, one in the bowl", 2, 1)
"""The arm at its start pose and a cube in the bowl: where every demonstration ends and some begin, and where a task of
two cubes is once the first is done. Replay will return here; until there is replay, a warm start gets here only in
a scene set up so."""

SCENES = (ONE_CUBE, TWO_CUBES, ONE_LEFT)
