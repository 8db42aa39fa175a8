"""Primitives that robots and what stands around them are made of: for looks, contacts and collision checks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from ams_ros.errors import ConfigurationError
from ams_ros.robot.section import Section, Vector


class ShapeKind(Enum):
    """What a shape is, by the names used in files."""

    BOX = "box"
    CYLINDER = "cylinder"


@dataclass(frozen=True, slots=True)
class Shape:
    """One primitive in the frame of what it belongs to.

    size: m; of a box its half lengths along x, y and z, of a cylinder its radius and half its length along z.
    place: of its centre, m. rpy: roll, pitch, yaw about fixed axes (URDF's convention), rad.
    """

    kind: ShapeKind
    size: tuple[float, ...]
    place: Vector
    rpy: Vector = (0.0, 0.0, 0.0)


_NUMBERS = {ShapeKind.BOX: 3, ShapeKind.CYLINDER: 2}
_ALONG: dict[str, Vector] = {"x": (0.0, math.pi / 2, 0.0), "y": (math.pi / 2, 0.0, 0.0), "z": (0.0, 0.0, 0.0)}


def read_shape(section: Section) -> Shape:
    """A shape written as `{box: [x, y, z], place: [...]}` or `{cylinder: [radius, half], along: y, place: [...]}`.

    Instead of `along` (x, y or z, default z) `rpy` may give the orientation. Raises ConfigurationError.
    """
    section.only(*(kind.value for kind in ShapeKind), "place", "along", "rpy")
    kinds = [kind for kind in ShapeKind if section.has(kind.value)]
    if len(kinds) != 1:
        names = " or ".join(kind.value for kind in ShapeKind)
        raise ConfigurationError(section.key, [kind.value for kind in kinds], f"one of {names}")
    size = section.numbers(kinds[0].value, _NUMBERS[kinds[0]])
    if min(size) <= 0.0:
        raise ConfigurationError(f"{section.key}.{kinds[0].value}", list(size), "numbers above 0")
    return Shape(kinds[0], size, section.vector("place"), _orientation(section))


def _orientation(section: Section) -> Vector:
    if section.has("rpy"):
        return section.vector("rpy")
    along = section.text("along") if section.has("along") else "z"
    if along not in _ALONG:
        raise ConfigurationError(f"{section.key}.along", along, ", ".join(_ALONG))
    return _ALONG[along]
