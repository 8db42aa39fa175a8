"""What lies where in a scene: the record a task draws and the plant sets up. Frame: base_link, metres, radians."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.types import Float64Array

CUBE_SIDE = 0.036
CUBE_MASS = 0.03
BOWL_CENTRE = (0.27, 0.18)
BOWL_INNER_RADIUS = 0.085
BOWL_OUTER_RADIUS = 0.095
BOWL_HEIGHT = 0.05


@dataclass(frozen=True, slots=True)
class CubePlacement:
    """One cube at the start of an episode.

    x, y: centre, m. z: centre, m, CUBE_SIDE / 2 on the table. yaw: rad. colour: red, green, blue, 0..1.
    friction: sliding friction coefficient of its faces against everything.
    """

    x: float
    y: float
    yaw: float
    colour: tuple[float, float, float]
    z: float = CUBE_SIDE / 2
    friction: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class SceneLayout:
    """A scene to reset to.

    cubes: outside and inside the bowl, in the task's order.
    arm: (dof,) rad, None for the profile's start pose. finger: m, None for open.
    settle: seconds of physics run before the episode begins, so that cubes dropped into the bowl come to rest.
    """

    cubes: tuple[CubePlacement, ...]
    arm: Float64Array | None = None
    finger: float | None = None
    settle: float = 0.0
