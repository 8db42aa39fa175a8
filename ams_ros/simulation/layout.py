"""What lies where in a scene: the record a task draws and the plant sets up.

Frame: the table's, which is base_link moved by the workspace's origin. Metres, radians.
"""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.types import Float64Array

CUBE_SIDE = 0.036
CUBE_MASS = 0.03
BOWL_CENTRE = (0.27, 0.18)
BOWL_INNER_RADIUS = 0.085
BOWL_OUTER_RADIUS = 0.095
BOWL_HEIGHT = 0.05
CUP_RADIUS = 0.024
"""Wider than the gap of a nearly closed gripper, so that both fingers lie against a cup they pull."""
CUP_HEIGHT = 0.078
CUP_MASS = 0.5
CUP_DOWN = 1.2
"""A cup tilted farther than this, rad, lies; one that stands has no tilt."""


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


@dataclass(frozen=True, slots=True)
class CupPlacement:
    """One cup at the start of an episode. It is hinged at its foot's edge, so it can fall in one direction only.

    x, y: middle of its foot while it stands, m. heading: the direction it falls in, rad from the x axis.
    colour: red, green, blue, 0..1. down: it lies from the start.
    """

    x: float
    y: float
    heading: float
    colour: tuple[float, float, float]
    down: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SceneLayout:
    """A scene to reset to.

    cubes: outside and inside the bowl, in the task's order. cups: likewise. bowl: whether there is one.
    arm: (dof,) rad, None for the profile's start pose. finger: m, None for open.
    settle: seconds of physics run before the episode begins, so that cubes dropped into the bowl come to rest.
    """

    cubes: tuple[CubePlacement, ...] = ()
    cups: tuple[CupPlacement, ...] = ()
    bowl: bool = True
    arm: Float64Array | None = None
    finger: float | None = None
    settle: float = 0.0
