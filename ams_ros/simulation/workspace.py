"""Where the table with everything on it stands in front of a robot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.layout import BOWL_CENTRE
from ams_ros.types import Float64Array

_ORIGINS: dict[str, tuple[float, float]] = {"jaka_s5": (0.20, 0.0)}
"""Of robots that need the table elsewhere than the WidowX, by the profile's name: arms of longer reach, mostly."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A table with its bowl, objects and cameras, all moved together.

    origin: x, y of the table's frame in base_link, m. Scene layouts are written in the table's frame.
    """

    origin: tuple[float, float] = (0.0, 0.0)

    @property
    def shift(self) -> Float64Array:
        """(3,) m, to be added to a place in the table's frame to have it in base_link."""
        return np.array([*self.origin, 0.0])

    def place(self, x: float, y: float, z: float) -> Float64Array:
        """(3,) m, a place in the table's frame, in base_link."""
        return np.array([self.origin[0] + x, self.origin[1] + y, z])

    @property
    def bowl_centre(self) -> tuple[float, float]:
        """x, y of the bowl's middle in base_link, m."""
        return self.origin[0] + BOWL_CENTRE[0], self.origin[1] + BOWL_CENTRE[1]


def workspace_of(profile: RobotProfile) -> Workspace:
    """The workspace in which this robot reaches everything."""
    return Workspace(_ORIGINS.get(profile.name, (0.0, 0.0)))
