"""What recovery needs of a motion planner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ams_ros.types import Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class PlannedMotion:
    """A path with its timing. joints: (steps, dof) rad, row k is to be reached (k + 1) * period s after the start."""

    joints: Float64Array
    period: float

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return len(self.joints) * self.period


class CollisionChecker(Protocol):
    """Knows the arm's shape and what stands around it."""

    def collides(self, position: Float64Array) -> str | None:
        """What touches what at joint angles (dof,) rad, such as "wrist_link touches table"; None when nothing does."""
        ...

    def path_collides(self, waypoints: Float64Array) -> str | None:
        """The same along the straight joint-space lines through waypoints (n, dof) rad."""
        ...


class Planner(Protocol):
    """Finds collision-free ways; the embedded one here, MoveIt elsewhere."""

    name: str

    def plan(self, start: Float64Array, goal: Float64Array, scale: float, timeout: float) -> PlannedMotion:
        """A timed, collision-free motion within the joint limits from rest at `start` to rest at `goal`, (dof,) rad.

        scale: 0..1, of the profile's speed and acceleration limits. Raises PlanningError saying why there is none, at
        the latest after `timeout` seconds. A start that already touches something is left by the shortest way.
        """
        ...
