"""What stands around a robot: the files under config/surroundings, checked and frozen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ams_ros.errors import ConfigurationError
from ams_ros.resources import share_directory
from ams_ros.robot.section import Section, Vector, read_section
from ams_ros.robot.shape import Shape, ShapeKind, read_shape

_BOWL_SEGMENTS = 20
_OVERLAP = 1.05
"""Neighbouring boxes of a bowl's wall overlap a little, so that no gap is left between their corners."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that stands still. shapes: in the robot's base link."""

    name: str
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """An upright cylinder of air in which things are let go of.

    centre, of its underside, radius and height: m, in the robot's base link.
    """

    name: str
    centre: Vector
    radius: float
    height: float

    def holds(self, x: float, y: float, z: float) -> bool:
        """Whether that point of the base link, m, lies in it."""
        dx, dy, dz = x - self.centre[0], y - self.centre[1], z - self.centre[2]
        return math.hypot(dx, dy) <= self.radius and 0.0 <= dz <= self.height


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything a robot must not touch, besides itself, and the places that tasks speak of by name."""

    name: str
    title: str
    things: tuple[Thing, ...]
    places: tuple[Place, ...] = ()

    def place(self, name: str) -> Place:
        """The place of that name. Raises ConfigurationError when there is none."""
        for place in self.places:
            if place.name == name:
                return place
        known = ", ".join(place.name for place in self.places)
        raise ConfigurationError(f"{self.name}.places", name, known or "none: this file names no places")


def load_surroundings(name: str) -> Surroundings:
    """Read config/surroundings/<name>.yaml. Raises ConfigurationError naming the key that is missing or wrong."""
    folder = share_directory() / "config" / "surroundings"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise ConfigurationError("surroundings", name, ", ".join(known))
    return read_surroundings(folder / f"{name}.yaml")


def read_surroundings(path: Path) -> Surroundings:
    """Read one file of surroundings. Raises ConfigurationError naming the key that is missing or wrong."""
    root = read_section(path)
    root.only("name", "title", "things", "places")
    things: dict[str, Thing] = {}
    for section in root.sections("things"):
        thing = _thing(section)
        if thing.name in things:
            raise ConfigurationError(f"{section.key}.name", thing.name, "a name no other thing has")
        things[thing.name] = thing
    places: dict[str, Place] = {}
    for section in root.sections("places") if root.has("places") else ():
        place = _place(section)
        if place.name in places:
            raise ConfigurationError(f"{section.key}.name", place.name, "a name no other place has")
        places[place.name] = place
    return Surroundings(root.text("name"), root.text("title"), tuple(things.values()), tuple(places.values()))


def _place(section: Section) -> Place:
    section.only("name", "centre", "radius", "height")
    name, centre = section.text("name"), section.vector("centre")
    return Place(name, centre, section.positive("radius"), section.positive("height"))


def _thing(section: Section) -> Thing:
    section.only("name", "shapes", "bowl")
    shapes: list[Shape] = []
    if section.has("shapes"):
        shapes += map(read_shape, section.sections("shapes"))
    if section.has("bowl"):
        shapes += _bowl(section.section("bowl"))
    if not shapes:
        raise ConfigurationError(section.key, [], "shapes or a bowl")
    return Thing(section.text("name"), tuple(shapes))


def _bowl(section: Section) -> list[Shape]:
    """A round floor and a ring of leaning boxes."""
    section.only("place", "floor_radius", "rim_radius", "height", "wall")
    x, y, z = section.vector("place")
    floor, rim = section.positive("floor_radius"), section.positive("rim_radius")
    height, wall = section.positive("height"), section.positive("wall") / 2.0
    if rim < floor:
        raise ConfigurationError(f"{section.key}.rim_radius", rim, f"at least floor_radius ({floor})")
    shapes = [Shape(ShapeKind.CYLINDER, (floor, wall), (x, y, z + wall))]
    radius, lean = (floor + rim) / 2.0, math.atan2(rim - floor, height)
    size = (wall, math.pi * rim / _BOWL_SEGMENTS * _OVERLAP, math.hypot(rim - floor, height) / 2.0)
    for segment in range(_BOWL_SEGMENTS):
        angle = segment * math.tau / _BOWL_SEGMENTS
        place: Vector = (x + radius * math.cos(angle), y + radius * math.sin(angle), z + height / 2.0)
        shapes.append(Shape(ShapeKind.BOX, size, place, (0.0, lean, angle)))
    return shapes
