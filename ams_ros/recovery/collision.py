"""Whether the arm touches something: its primitives against its surroundings and against itself, by coal."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.recovery.arm_shape import ArmPart, arm_parts, reaches
from ams_ros.recovery.surroundings import Surroundings
from ams_ros.robot.profile import RobotProfile
from ams_ros.robot.shape import Shape, ShapeKind
from ams_ros.types import Float64Array

PADDING = 0.005
"""m; less than this between two bodies counts as touching. A gripper that grasps lies a finger's breadth deeper."""

_STEP = 0.004
"""m that any point of the arm moves at most between two poses checked on a path, without padding."""

_SAMPLES = 300


class ArmCollisionChecker:
    """Checks the arm of a profile within its surroundings; a `CollisionChecker`. Not for two threads at once.

    Links that a joint holds together are not checked against each other, nor are those that touch in every pose.

    On a path, two poses checked lie so close that no point of the arm moves more than twice the padding between them.
    So where both are clear by the padding, nothing touches between them either.
    """

    def __init__(self, profile: RobotProfile, surroundings: Surroundings, padding: float = PADDING) -> None:
        """padding: m kept free around everything, 0 to 0.1. Raises ConfigurationError for any other."""
        import pinocchio  # noqa: PLC0415 - a third of a second that the command line need not pay

        if not 0.0 <= padding <= 0.1:
            raise ConfigurationError("padding", padding, "0 to 0.1 m")
        parts = arm_parts(profile)
        self.profile, self.padding = profile, padding
        self._reaches, self._step = reaches(profile, parts), max(2.0 * padding, _STEP)
        self._pin: Any = pinocchio
        self._model, self._geometry = _arm(pinocchio, profile), pinocchio.GeometryModel()
        self._names: list[str] = []
        for part in parts:
            self._add(part.link, part.joint, part.shape)
        for thing in surroundings.things:
            for shape in thing.shapes:
                self._add(thing.name, 0, shape)
        self._pairs = [*_outer_pairs(parts, len(self._names)), *_inner_pairs(parts)]
        self._prepare()
        always = self._always_touching()
        self._pairs = [pair for pair in self._pairs if self._links(pair) not in always]
        self._prepare()

    def collides(self, position: Float64Array) -> str | None:
        """What touches what at joint angles (dof,) rad, such as "gripper_link touches table"; None when nothing does.

        An angle that is not a finite number raises ValueError: there is no telling where such an arm is.
        """
        position = self._checked(position)
        self._place(position)
        if not self._pin.computeCollisions(self._geometry, self._found, True):
            return None
        for pair, result in zip(self._pairs, self._found.collisionResults, strict=True):
            if result.isCollision():
                first, second = self._links(pair)
                return f"{first} touches {second}"
        raise AssertionError("a collision without a pair that touches")

    def path_collides(self, waypoints: Float64Array) -> str | None:
        """What touches what, first of all, on the straight lines through waypoints (n, dof) rad; else None.

        Raises ValueError as `collides` does, and for no waypoints at all.
        """
        waypoints = np.asarray(waypoints, dtype=np.float64)
        if waypoints.ndim != 2 or not len(waypoints):
            raise ValueError(f"waypoints {waypoints.shape}, expected at least one row of {self._model.nq} angles")
        waypoints = np.stack([self._checked(position) for position in waypoints])
        legs = [self.poses_along(begin, end) for begin, end in itertools.pairwise(waypoints)]
        for position in itertools.chain(waypoints[:1], *legs):
            touching = self.collides(position)
            if touching:
                return touching
        return None

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The names of every two bodies checked against each other; a link of several bodies comes up as often."""
        return [self._links(pair) for pair in self._pairs]

    def clearances(self, position: Float64Array) -> Float64Array:
        """(pairs,) m between the bodies of every pair, less the padding; negative by as much as they overlap.

        Several times slower than `collides`.
        """
        position = self._checked(position)
        self._place(position)
        self._pin.computeDistances(self._geometry, self._found)
        return np.array([result.min_distance for result in self._found.distanceResults]) - self.padding

    def poses_along(self, begin: Float64Array, end: Float64Array) -> Float64Array:
        """(n, dof) rad, the poses checked on the straight line behind `begin` up to `end`."""
        steps = max(1, int(np.ceil(self._reaches @ np.abs(end - begin) / self._step)))
        return np.asarray(begin + (np.arange(1, steps + 1) / steps)[:, None] * (end - begin), dtype=np.float64)

    def _checked(self, position: Float64Array) -> Float64Array:
        position = np.asarray(position, dtype=np.float64)
        if position.shape != (self._model.nq,) or not np.isfinite(position).all():
            raise ValueError(f"joint angles {position}, expected {self._model.nq} finite numbers")
        return position

    def _place(self, position: Float64Array) -> None:
        self._pin.updateGeometryPlacements(self._model, self._data, self._geometry, self._found, position)

    def _add(self, name: str, joint: int, shape: Shape) -> None:
        pin = self._pin
        placement = pin.SE3(pin.rpy.rpyToMatrix(*shape.rpy), np.array(shape.place))
        body = pin.GeometryObject(f"{len(self._names)}", joint, placement, _primitive(shape))
        self._geometry.addGeometryObject(body)
        self._names.append(name)

    def _prepare(self) -> None:
        self._geometry.removeAllCollisionPairs()
        for pair in self._pairs:
            self._geometry.addCollisionPair(self._pin.CollisionPair(*pair))
        self._data, self._found = self._model.createData(), self._geometry.createData()
        for request in self._found.collisionRequests:
            request.security_margin = self.padding

    def _always_touching(self) -> set[tuple[str, str]]:
        """Pairs of links that touch in every one of many random poses: so they are drawn, not how the arm is built."""
        rng, always = np.random.default_rng(0), {self._links(pair) for pair in self._pairs}
        for position in rng.uniform(self.profile.lower, self.profile.upper, (_SAMPLES, self._model.nq)):
            self._place(position)
            self._pin.computeCollisions(self._geometry, self._found, False)
            results = zip(self._pairs, self._found.collisionResults, strict=True)
            always &= {self._links(pair) for pair, result in results if result.isCollision()}
            if not always:
                break
        return always

    def _links(self, pair: tuple[int, int]) -> tuple[str, str]:
        return self._names[pair[0]], self._names[pair[1]]


def _arm(pin: Any, profile: RobotProfile) -> Any:
    """The arm's joints; what they weigh does not matter here."""
    model, parent = pin.Model(), 0
    for joint in profile.joints:
        turn = pin.JointModelRevoluteUnaligned(np.array(joint.axis))
        origin = pin.SE3(joint.origin_rotation, np.array(joint.origin_xyz))
        parent = model.addJoint(parent, turn, origin, joint.name)
    return model


def _primitive(shape: Shape) -> Any:
    import coal  # noqa: PLC0415 - as pinocchio

    match shape.kind:
        case ShapeKind.BOX:
            return coal.Box(*(2.0 * half for half in shape.size))
        case ShapeKind.CYLINDER:
            return coal.Cylinder(shape.size[0], 2.0 * shape.size[1])


def _outer_pairs(parts: tuple[ArmPart, ...], bodies: int) -> list[tuple[int, int]]:
    """Every moving part of the arm, the outermost first as the likeliest to touch, with everything around it."""
    moving = [index for index, part in enumerate(parts) if part.joint]
    return list(itertools.product(reversed(moving), range(len(parts), bodies)))


def _inner_pairs(parts: tuple[ArmPart, ...]) -> list[tuple[int, int]]:
    """Parts with at least one link between them."""
    numbered = enumerate(parts)
    return [(i, j) for (i, a), (j, b) in itertools.combinations(numbered, 2) if abs(a.joint - b.joint) > 1]
