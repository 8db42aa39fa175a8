"""The way back to a mark: atoms composed into one short motion (paper, section 3.3.2; spec row E6)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ams_ros.errors import ConfigurationError, PlanningError
from ams_ros.recovery.atom_buffer import AtomBuffer, Mark
from ams_ros.recovery.planner import CollisionChecker, PlannedMotion
from ams_ros.recovery.timing import time_path
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.types import Float64Array

_TIP_STEP = 0.002
"""m the tip moves along its retreat before the arm's geometry is looked at again."""

_DAMPING = 0.02
"""m/rad; of the least squares, so that joints stay slow near a singularity."""

_LEAVING = 0.15
"""rad of a way, by its fastest joint, on which an arm that touches something may still touch it."""

_LOOK = 0.01
"""rad between two looks whether it still does."""

_NOWHERE = 1e-3
"""rad or m; what is shorter is no way back, and no retreat."""


@dataclass(frozen=True, slots=True)
class RollbackSettings:
    """How an arm goes back.

    scale: of the profile's speed and acceleration limits. retreat: m the tip first withdraws, against the direction it
    came from, out of a contact.
    """

    scale: float = 0.3
    retreat: float = 0.02

    def __post_init__(self) -> None:
        """Refuse a speed no arm has and a retreat that is a journey."""
        if not 0.0 < self.scale <= 1.0:
            raise ConfigurationError("rollback.scale", self.scale, "above 0 and at most 1")
        if not 0.0 <= self.retreat <= 0.1:
            raise ConfigurationError("rollback.retreat", self.retreat, "0 to 0.1 m")


class Rollback:
    """Goes back to a mark by what the motion since adds up to, not by the path it took."""

    def __init__(
        self, buffer: AtomBuffer, dynamics: ArmDynamics, checker: CollisionChecker, settings: RollbackSettings
    ) -> None:
        """dynamics: of the arm, used in the thread that calls `plan`; not the buffer's."""
        self._buffer, self._dynamics, self._checker, self._settings = buffer, dynamics, checker, settings
        self._profile = dynamics.profile

    def plan(self, now: Float64Array, mark: Mark, contact: bool) -> PlannedMotion:
        """The motion from `now` (dof,) rad to the mark, at rest at both ends.

        contact: withdraw the tip first, the way it came, unless that is blocked; done too where the arm touches
        something it knows of. The rest is one straight line in joint space. An arm that touches something must be free
        after the first `_LEAVING` rad and stay so. Raises PlanningError when the mark is not known, nothing moved
        since, or something is in the way.
        """
        profile = self._profile
        goal = np.clip(now - self._buffer.since(mark).joints, profile.lower, profile.upper)
        if np.abs(goal - now).max() < _NOWHERE:
            raise PlanningError(f"the arm is already at the {mark.value}")
        touching = self._checker.collides(now)
        ways = [np.array([now, goal])]
        if contact or touching:
            withdrawn = self._withdraw(now, self._buffer.approach(mark, self._settings.retreat))
            if withdrawn is not None:
                ways.insert(0, np.array([now, withdrawn, goal]))
        for way in ways:
            obstacle = self._checker.path_collides(self._left(way) if touching else way)
            if obstacle is None:
                return time_path(way, profile, self._settings.scale)
        raise PlanningError(f"the way back to the {mark.value} is blocked: {obstacle}")

    def _left(self, path: Float64Array) -> Float64Array:
        """What remains of the path from the first pose on it that is free, or that should be."""
        gone = 0.0
        for leg, (begin, end) in enumerate(itertools.pairwise(path)):
            length = float(np.abs(end - begin).max())
            for share in np.arange(0.0, 1.0, _LOOK / max(length, _LOOK)):
                here = begin + share * (end - begin)
                if gone + share * length > _LEAVING or self._checker.collides(here) is None:
                    return np.array([here, *path[leg + 1 :]])
            gone += length
        return path[-1:]

    def _withdraw(self, now: Float64Array, approach: Float64Array) -> Float64Array | None:
        """(dof,) rad with the tip moved back along `approach` (3,) m, at most by `retreat`; None when it cannot be.

        Damped least squares on the tip's place (Wampler 1986, "Manipulator inverse kinematic solutions based on vector
        formulations and damped least-squares methods").
        """
        length = float(np.linalg.norm(approach))
        if length < _NOWHERE:
            return None
        wanted = min(length, self._settings.retreat)
        begin = self._tip(now)
        goal, position = begin - approach / length * wanted, now.copy()
        for _ in range(2 * int(np.ceil(wanted / _TIP_STEP))):
            left = goal - self._tip(position)
            distance = float(np.linalg.norm(left))
            jacobian = self._dynamics.jacobian(position)[:3]
            step = left * min(1.0, _TIP_STEP / distance) if distance > 0.0 else left
            spread = jacobian @ jacobian.T + _DAMPING**2 * np.eye(3)
            position = position + jacobian.T @ np.linalg.solve(spread, step)
            position = np.clip(position, self._profile.lower, self._profile.upper)
        back = float((begin - self._tip(position)) @ approach / length)
        return position if back > 0.5 * wanted else None

    def _tip(self, position: Float64Array) -> Float64Array:
        return np.array(self._dynamics.tip_pose(position)[1])
