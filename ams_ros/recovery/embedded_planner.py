"""Plans motions in this process: straight where the way is free, else by OMPL's RRT-Connect."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ams_ros.errors import PlanningError
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.planner import PlannedMotion
from ams_ros.recovery.timing import time_path
from ams_ros.recovery.way_out import way_out
from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Float64Array

_OUTSIDE = 0.05
"""rad; an arm pushed past a joint limit by no more than this is first brought back within."""

_RANGE = 0.8
"""rad, the longest edge RRT-Connect adds to its trees at once."""

_SHORTCUTS, _FRUITLESS = 40, 15
"""How often shortcuts are tried, and how often in vain before giving up."""


class EmbeddedPlanner:
    """A `Planner` that needs nothing outside this process. Not for two threads at once.

    The same question gets the same answer as long as the time suffices: sampling starts from `seed` every time.
    Source of the algorithm: Kuffner and LaValle 2000, "RRT-connect: an efficient approach to single-query path
    planning", as OMPL implements it.
    """

    name = "embedded"

    def __init__(self, profile: RobotProfile, checker: ArmCollisionChecker, seed: int = 1) -> None:
        """checker: of the same profile. seed: at least 1."""
        self._profile, self._checker, self._seed = profile, checker, seed

    def plan(self, start: Float64Array, goal: Float64Array, scale: float, timeout: float) -> PlannedMotion:
        """As `Planner.plan`. Every leg is straight and was checked as a whole; corners are passed at rest."""
        deadline = time.monotonic() + timeout
        if not (np.isfinite(timeout) and timeout > 0.0):
            raise PlanningError(f"timeout {timeout} s, expected above 0")
        start, goal = self._within("start", start, _OUTSIDE), self._within("goal", goal, 0.0)
        here = np.clip(start, self._profile.lower, self._profile.upper)
        waypoints = [start] if (start == here).all() else [start, here]
        touching = self._checker.collides(goal)
        if touching:
            raise PlanningError(f"at the goal {touching}")
        if self._checker.collides(here):
            here = way_out(self._checker, here, self._seed, deadline)
            waypoints.append(here)
        if self._checker.path_collides(np.array([here, goal])) is None:
            waypoints.append(goal)
        else:
            waypoints += list(self._around(here, goal, deadline))[1:]
        return time_path(np.array(waypoints), self._profile, scale)

    def _within(self, what: str, position: Float64Array, tolerance: float) -> Float64Array:
        position, profile = np.asarray(position, dtype=np.float64), self._profile
        if position.shape != profile.start.shape or not np.isfinite(position).all():
            raise PlanningError(f"{what} {position.tolist()}, expected {len(profile.start)} finite angles")
        outside = np.maximum(profile.lower - position, position - profile.upper)
        worst = int(outside.argmax())
        if outside[worst] > tolerance:
            joint = profile.joints[worst]
            raise PlanningError(
                f"{what}: {joint.name} at {position[worst]:.4f} rad, "
                f"its limits are {joint.lower:.4f} to {joint.upper:.4f}"
            )
        return position

    def _around(self, start: Float64Array, goal: Float64Array, deadline: float) -> Float64Array:
        """(n, dof) waypoints from start to goal whose legs are free."""
        from ompl import base, geometric, util  # noqa: PLC0415 - only where a way around is sought

        util.setLogLevel(util.LOG_NONE)
        util.RNG.setSeed(self._seed)
        space = _space(base, self._profile, self._checker, deadline)
        problem = base.ProblemDefinition(space)
        problem.setStartAndGoalStates(_state(space, start), _state(space, goal))
        planner = geometric.RRTConnect(space)
        planner.setRange(_RANGE)
        planner.setProblemDefinition(problem)
        planner.setup()
        planner.solve(base.timedPlannerTerminationCondition(max(deadline - time.monotonic(), 0.0)))
        if not problem.hasExactSolution():
            way = self._checker.path_collides(np.array([start, goal]))
            raise PlanningError(f"no way around was found in time; on the straight way {way}")
        path = problem.getSolutionPath()
        simplifier = geometric.PathSimplifier(space)
        for shorten in (simplifier.reduceVertices, simplifier.partialShortcutPath, simplifier.reduceVertices):
            shorten(path, _SHORTCUTS, _FRUITLESS)
        return self._proven(_angles(path, len(start)), start, goal)

    def _proven(self, waypoints: Float64Array, start: Float64Array, goal: Float64Array) -> Float64Array:
        """The waypoints, looked at once more without OMPL."""
        touching = self._checker.path_collides(waypoints)
        if touching:
            raise PlanningError(f"the way found around does not hold: {touching}")
        if not (np.allclose(waypoints[0], start) and np.allclose(waypoints[-1], goal)):
            raise PlanningError("the way found around does not lead from the start to the goal")
        return waypoints


def _space(base: Any, profile: RobotProfile, checker: ArmCollisionChecker, deadline: float) -> Any:
    """OMPL's view of the arm: joint angles within the limits, motions straight and free by `checker`.

    After the deadline no motion counts as free, so that whatever OMPL is at ends soon.
    """
    dof = len(profile.joints)

    class FreeMotion(base.MotionValidator):  # type: ignore[misc]
        def checkMotion(self, begin: Any, end: Any) -> bool:
            ends = np.array([_row(begin, dof), _row(end, dof)])
            return time.monotonic() < deadline and checker.path_collides(ends) is None

    bounds = base.RealVectorBounds(dof)
    for index, joint in enumerate(profile.joints):
        bounds.setLow(index, joint.lower)
        bounds.setHigh(index, joint.upper)
    states = base.RealVectorStateSpace(dof)
    states.setBounds(bounds)
    space = base.SpaceInformation(states)
    space.setStateValidityChecker(lambda state: checker.collides(_row(state, dof)) is None)
    space.setMotionValidator(FreeMotion(space))
    space.setup()
    return space


def _state(space: Any, position: Float64Array) -> Any:
    state = space.allocState()
    for index, angle in enumerate(position):
        state[index] = float(angle)
    return state


def _row(state: Any, dof: int) -> Float64Array:
    return np.array([state[index] for index in range(dof)])


def _angles(path: Any, dof: int) -> Float64Array:
    return np.array([_row(state, dof) for state in path.getStates()])
