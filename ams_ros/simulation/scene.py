"""The whole scene as one MuJoCo model: table, bowl, cubes, cups, lights, cameras and the arm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import mujoco
import numpy as np

from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.arm_model import add_arm, add_drives
from ams_ros.simulation.faults.disturbances import add_obstacle
from ams_ros.simulation.layout import (
    BOWL_HEIGHT,
    CUBE_MASS,
    CUBE_SIDE,
    CUP_HEIGHT,
    CUP_MASS,
    CUP_RADIUS,
)
from ams_ros.simulation.workspace import Workspace, workspace_of
from ams_ros.types import Float64Array

CAMERAS = ("front", "wrist", "overview")
_BOWL_SEGMENTS = 20
_BOWL_FLOOR_RADIUS, _BOWL_RIM_RADIUS, _BOWL_WALL = 0.070, 0.090, 0.003
_CUP_DAMPING = 0.02
"""N m s/rad: a cup that falls takes about a third of a second."""
_SOLID = {"contype": "1", "conaffinity": "3"}


def build_model(
    profile: RobotProfile,
    cubes: int,
    timestep: float,
    *,
    cups: int = 0,
    bowl: bool = True,
    workspace: Workspace | None = None,
) -> Any:
    """Compile the scene (MjModel) with that many cubes and cups; where they stand is set at a reset.

    timestep: seconds per physics step. workspace: default, the robot's own.
    """
    workspace = workspace or workspace_of(profile)
    root = Element("mujoco", model=f"{profile.name}_table")
    SubElement(root, "compiler", angle="radian", balanceinertia="true", autolimits="true", eulerseq="XYZ")
    SubElement(root, "option", timestep=repr(timestep), integrator="implicitfast", cone="elliptic", impratio="5")
    visual = SubElement(root, "visual")
    SubElement(visual, "headlight", ambient="0.38 0.38 0.38", diffuse="0.30 0.30 0.30", specular="0 0 0")
    SubElement(visual, "quality", shadowsize="1024", offsamples="0")
    SubElement(visual, "map", znear="0.02", zfar="10")
    SubElement(root, "statistic", extent="1", center=_row(workspace.place(0.25, 0.0, 0.15)))
    SubElement(
        SubElement(root, "asset"), "texture", type="skybox", builtin="gradient", rgb1="0.80 0.84 0.88",
        rgb2="0.47 0.50 0.54", width="64", height="384",
    )  # fmt: skip
    world = SubElement(root, "worldbody")
    _add_room(world, workspace)
    _add_cameras(world, workspace)
    if bowl:
        _add_bowl(world, workspace)
    for index in range(cubes):
        _add_cube(world, index)
    for index in range(cups):
        _add_cup(world, index)
    add_arm(world, profile)
    add_obstacle(world, _SOLID)
    add_drives(root, profile)
    _let_cups_stand(root, cups)
    return mujoco.MjModel.from_xml_string(tostring(root, encoding="unicode"))


def _add_room(world: Element, workspace: Workspace) -> None:
    SubElement(
        world, "light", pos=_row(workspace.place(0.4, -0.5, 1.6)), dir="-0.1 0.35 -1", directional="true",
        castshadow="true", diffuse="0.45 0.45 0.43", specular="0.1 0.1 0.1",
    )  # fmt: skip
    SubElement(
        world,
        "geom",
        type="plane",
        size="20 20 0.1",
        pos="0 0 -0.45",
        rgba="0.47 0.50 0.54 1",
        contype="0",
        conaffinity="0",
    )
    SubElement(
        world, "geom", _SOLID, name="table", type="box", size="0.40 0.50 0.02",
        pos=_row(workspace.place(0.22, 0.0, -0.02)), rgba="0.80 0.74 0.64 1", friction="0.8 0.005 0.0001",
    )  # fmt: skip
    for x in (-0.14, 0.58):
        for y in (-0.45, 0.45):
            SubElement(
                world, "geom", type="box", size="0.025 0.025 0.205",
                pos=_row(workspace.place(x, y, -0.245)), rgba="0.45 0.38 0.30 1", contype="0", conaffinity="0",
            )  # fmt: skip


def _add_cameras(world: Element, workspace: Workspace) -> None:
    place = workspace.place
    _add_camera(world, "front", place(0.70, 0.018, 0.60), place(0.252, 0.018, 0.02), 39.5)
    _add_camera(world, "overview", place(0.95, -0.72, 0.62), place(0.16, 0.02, 0.14), 40.0)


def _add_camera(world: Element, name: str, place: Float64Array, target: Float64Array, fovy: float) -> None:
    """A camera that stands at `place`, looks at `target` and keeps its horizon level. fovy: degrees, MJCF's unit."""
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    axes = " ".join(repr(float(value)) for value in (*right, *up))
    SubElement(world, "camera", name=name, pos=" ".join(map(repr, place.tolist())), xyaxes=axes, fovy=repr(fovy))


def _add_bowl(world: Element, workspace: Workspace) -> None:
    body = SubElement(world, "body", name="bowl", pos=_row((*workspace.bowl_centre, 0.0)))
    colour = {"rgba": "0.93 0.94 0.97 1", "friction": "0.6 0.005 0.0001"}
    SubElement(
        body,
        "geom",
        _SOLID | colour,
        type="cylinder",
        size=f"{_BOWL_FLOOR_RADIUS} {_BOWL_WALL}",
        pos=f"0 0 {_BOWL_WALL}",
    )
    out, rise = _BOWL_RIM_RADIUS - _BOWL_FLOOR_RADIUS, BOWL_HEIGHT
    half_height, lean = np.hypot(out, rise) / 2, np.arctan2(out, rise)
    half_width = np.pi * _BOWL_RIM_RADIUS / _BOWL_SEGMENTS * 1.05
    radius = (_BOWL_FLOOR_RADIUS + _BOWL_RIM_RADIUS) / 2
    for angle in np.arange(_BOWL_SEGMENTS) * 2 * np.pi / _BOWL_SEGMENTS:
        turned = SubElement(body, "body", euler=f"0 0 {angle}")
        SubElement(
            turned, "geom", _SOLID | colour, type="box", size=f"{_BOWL_WALL} {half_width} {half_height}",
            pos=f"{radius} 0 {rise / 2}", euler=f"0 {lean} 0",
        )  # fmt: skip


def _add_cube(world: Element, index: int) -> None:
    # Cubes wait apart from each other below the floor's edge until a reset places them.
    body = SubElement(world, "body", name=f"cube_{index}", pos=f"{index * 0.1} 2 0.1")
    SubElement(body, "freejoint", name=f"cube_{index}")
    half = CUBE_SIDE / 2
    SubElement(
        body, "geom", _SOLID, name=f"cube_{index}", type="box", size=f"{half} {half} {half}", mass=str(CUBE_MASS),
        condim="4", friction="1 0.005 0.0001", priority="1", solref="0.006 1.6", solimp="0.95 0.99 0.001",
    )  # fmt: skip


def _add_cup(world: Element, index: int) -> None:
    """A heavy cup on a hinge at its foot's edge; x of its body's frame is the direction it falls in.

    Nothing but its weight keeps it upright, and once it is tipped over its edge nothing but its weight lays it down.
    """
    # As the cubes do, cups wait apart from each other until a reset places them.
    body = SubElement(world, "body", name=f"cup_{index}", pos=f"{index * 0.1} 3 0")
    SubElement(
        body, "joint", name=f"cup_{index}", type="hinge", axis="0 1 0", range=_row((0.0, np.pi / 2)),
        damping=str(_CUP_DAMPING), solreflimit="0.02 1.0",
    )  # fmt: skip
    foot_to_middle = _row((-CUP_RADIUS, 0.0, CUP_HEIGHT / 2))
    SubElement(
        body, "geom", _SOLID, name=f"cup_{index}", type="cylinder", size=_row((CUP_RADIUS, CUP_HEIGHT / 2)),
        pos=foot_to_middle, mass=str(CUP_MASS), friction="0.6 0.005 0.0001",
    )  # fmt: skip
    SubElement(
        body, "geom", type="cylinder", size=_row((CUP_RADIUS - 0.003, 0.0005)),
        pos=_row((-CUP_RADIUS, 0.0, CUP_HEIGHT)), rgba="0.12 0.11 0.10 1", mass="0", contype="0", conaffinity="0",
    )  # fmt: skip


def _let_cups_stand(root: Element, cups: int) -> None:
    """Leave it to the hinges' ends that cups stand and lie on the table: contacts there would only cost time."""
    pairs = SubElement(root, "contact")
    for index in range(cups):
        SubElement(pairs, "exclude", body1="world", body2=f"cup_{index}")


def _row(values: Iterable[float]) -> str:
    return " ".join(repr(float(value)) for value in values)
