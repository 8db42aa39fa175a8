"""The arm's shape, joint by joint, as collision checks need it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import LinkSpec, RobotProfile
from ams_ros.robot.section import Vector
from ams_ros.robot.shape import Shape, ShapeKind
from ams_ros.types import Float64Array


@dataclass(frozen=True, slots=True)
class ArmPart:
    """One primitive of the arm.

    link: whose it is. joint: how many arm joints move it; 0 is the base. shape: in the frame of that joint's child.
    """

    link: str
    joint: int
    shape: Shape


def arm_parts(profile: RobotProfile) -> tuple[ArmPart, ...]:
    """Every shape of the profile's links, from the base outwards.

    A finger's box is stretched over its whole stroke, because who plans an arm's motion does not know how far the
    gripper is open. Raises ConfigurationError for a finger of another shape, or when no link has a shape.
    """
    joint_of = {profile.base_link: 0} | {joint.child: index for index, joint in enumerate(profile.joints, start=1)}
    parts = [
        ArmPart(link.name, joint_of[link.name], shape)
        for link in profile.links
        if link.name in joint_of
        for shape in link.shapes
    ]
    last = len(profile.joints)
    for link in profile.links:
        if link.fixed_to:
            origin = np.array(link.origin_xyz)
            parts += [ArmPart(link.name, joint_of[link.fixed_to], _moved(shape, origin)) for shape in link.shapes]
    parts += [
        ArmPart(link.name, last, shape) for link, sign in _fingers(profile) for shape in _swept(profile, link, sign)
    ]
    if not parts:
        raise ConfigurationError(f"{profile.name}: links", "no shapes", "shapes of at least one link")
    return tuple(parts)


def _fingers(profile: RobotProfile) -> Iterator[tuple[LinkSpec, float]]:
    for joint, sign in ((profile.gripper.joint, 1.0), (profile.gripper.mirror_joint, -1.0)):
        yield profile.link(f"{joint}_link"), sign


def _swept(profile: RobotProfile, finger: LinkSpec, sign: float) -> Iterator[Shape]:
    gripper = profile.gripper
    middle, half = (gripper.lower + gripper.upper) / 2.0, (gripper.upper - gripper.lower) / 2.0
    for shape in finger.shapes:
        if shape.kind is not ShapeKind.BOX or any(shape.rpy):
            raise ConfigurationError(f"links.{finger.name}.shapes", shape.kind.value, "boxes without a turn")
        x, y, z = shape.size
        carriage = np.array(gripper.origin_xyz) + np.array([0.0, sign * middle, 0.0])
        yield _moved(replace(shape, size=(x, y + half, z)), carriage)


def _moved(shape: Shape, by: Float64Array) -> Shape:
    x, y, z = shape.place
    place: Vector = (x + float(by[0]), y + float(by[1]), z + float(by[2]))
    return replace(shape, place=place)


def reaches(profile: RobotProfile, parts: tuple[ArmPart, ...]) -> Float64Array:
    """(dof,) m: no point of the arm is farther than this from the origin of each joint, whatever its angles."""
    chain = [float(np.linalg.norm(joint.origin_xyz)) for joint in profile.joints]
    own = [0.0] * len(chain)
    for part in parts:
        if part.joint:
            span = float(np.linalg.norm(part.shape.place) + np.linalg.norm(part.shape.size))
            own[part.joint - 1] = max(own[part.joint - 1], span)
    reach = own[-1]
    found = [reach]
    for index in range(len(chain) - 2, -1, -1):
        reach = max(own[index], chain[index + 1] + reach)
        found.append(reach)
    return np.array(found[::-1])
