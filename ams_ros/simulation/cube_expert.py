"""A scripted expert that puts one cube into the bowl, from the simulator's truth; it makes training labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.robot.kinematics import forward
from ams_ros.simulation.advice import Advice
from ams_ros.simulation.expert_motion import ExpertMotion
from ams_ros.simulation.layout import BOWL_INNER_RADIUS, CUBE_SIDE
from ams_ros.simulation.plant import Plant
from ams_ros.types import Float64Array

_SPOT_RADIUS, _ROOM_ENOUGH = 0.038, 0.050
"""How far from the bowl's middle a cube may be let go, and how far from another cube is room enough, m."""

_CLOSED_ON, _STALLED = CUBE_SIDE / 2**0.5 + 0.001, 0.02
"""Fingers nearer to the middle than this, m, and slower than this, m/s, have closed on the cube between them, be it
across its corners: a cube turned in the fingers is carried like any other."""


@dataclass(frozen=True, slots=True)
class CubeExpertSettings:
    """How the expert moves. Lengths in m, angles in rad.

    hover, grasp, carry: tip heights over a cube, at one and with one. aligned, aligned_yaw: how well the tip must stand
    over a cube before it goes down. over_bowl: how close to the bowl's centre it lets go.
    """

    hover: float = 0.085
    grasp: float = 0.020
    carry: float = 0.112
    aligned: float = 0.016
    aligned_yaw: float = 0.4
    over_bowl: float = 0.020


class CubeExpert:
    """Handles exactly one cube: the one nearest to the gripper. Every label is a function of the present state.

    The one thing it remembers is that its cube was let go of over the bowl: from then on it goes home and stays.
    """

    def __init__(self, plant: Plant, settings: CubeExpertSettings | None = None) -> None:
        """Take the plant it may look into."""
        self._plant = plant
        self._profile = plant.profile
        self._motion = ExpertMotion(plant.profile)
        self._bowl = np.array(plant.workspace.bowl_centre)
        self.settings = settings or CubeExpertSettings()
        self._handled: int | None = None
        self.delivered = False

    def advise(self) -> Advice:
        """The clean command for the present state. Raises ValueError when it would leave the joint limits."""
        position = self._plant.joints().position
        joints, finger = position[:-1], float(position[-1])
        rotation, tip = forward(self._profile, joints)
        centres, quaternions = self._plant.cube_poses()
        distances = np.linalg.norm(centres[:, :2] - self._bowl, axis=1)
        between = self._between_fingers(centres, rotation, tip)
        closed_on = between & self._closed(finger)
        held = bool(closed_on.any())
        if self._handled is not None and distances[self._handled] < BOWL_INNER_RADIUS and not held:
            self.delivered = True
        present = held or bool((distances >= BOWL_INNER_RADIUS).any())
        if self.delivered or not present:
            action, idle = self._motion.home(joints, finger)
            return Advice(action, self._last(centres, distances, tip), False, idle, present)
        cube = self._choose(centres, distances, closed_on, tip)
        self._handled = cube
        if held:
            inside = centres[(distances < BOWL_INNER_RADIUS) & ~closed_on]
            place, opening = self._carry(tip, self._free_spot(inside, tip))
            # Wrist rotate winds back on the way, so that it never adds up over cubes.
            yaw = float(joints[0])
        else:
            # Four headings grasp a cube; the nearest one wins, leaning towards an unwound wrist.
            yaw = _quarter_turn(_yaw(quaternions[cube]), float(joints[0] - 0.6 * joints[5]))
            place, opening = self._approach(tip, centres[cube], abs(yaw - float(joints[0] - joints[5])), finger)
        action = self._motion.towards(joints, tip, place, yaw, opening)
        return Advice(action, centres[cube].copy(), held, False, present)

    def distance(self, tip: Float64Array, rotation: Float64Array, finger: float) -> float:
        """Of the cube it would choose, in m as seen from above; infinite when all are in the bowl, 0 for a held one.

        tip: (3,) m, rotation (3, 3), of the tip link in base_link. finger: m.
        """
        centres, _ = self._plant.cube_poses()
        if (self._between_fingers(centres, rotation, tip) & self._closed(finger)).any():
            return 0.0
        outside = centres[np.linalg.norm(centres[:, :2] - self._bowl, axis=1) >= BOWL_INNER_RADIUS]
        return float(np.linalg.norm(outside[:, :2] - tip[:2], axis=1).min(initial=np.inf))

    def _last(self, centres: Float64Array, distances: Float64Array, tip: Float64Array) -> Float64Array:
        """(3,) m, what it looks at when there is nothing to do: its cube, else one in the bowl, else its own tip."""
        if len(centres) == 0:
            return tip
        return np.array(centres[distances.argmin() if self._handled is None else self._handled])

    def _choose(
        self,
        centres: Float64Array,
        distances: Float64Array,
        closed_on: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
        tip: Float64Array,
    ) -> int:
        """The cube in the fingers, else the one outside the bowl nearest to the tip as seen from above."""
        if closed_on.any():
            return int(np.flatnonzero(closed_on)[0])
        outside = np.flatnonzero(distances >= BOWL_INNER_RADIUS)
        return int(outside[np.argmin(np.linalg.norm(centres[outside, :2] - tip[:2], axis=1))])

    def _closed(self, finger: float) -> bool:
        """Whether the fingers, at `finger` (m), are where a cube would stop them, and stand still."""
        velocity = self._plant.joints().velocity
        return finger < _CLOSED_ON and velocity is not None and abs(float(velocity[-1])) < _STALLED

    def _between_fingers(
        self, centres: Float64Array, rotation: Float64Array, tip: Float64Array
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        local = np.abs((centres - tip) @ rotation)
        return np.asarray((local < (0.020, 0.010, 0.018)).all(axis=1))

    def _approach(
        self, tip: Float64Array, cube: Float64Array, yaw_error: float, finger: float
    ) -> tuple[Float64Array, float]:
        """Over the cube, down to it, and shut: decided from where the tip stands."""
        settings, gripper = self.settings, self._profile.gripper
        away = float(np.linalg.norm(cube[:2] - tip[:2]))
        aligned = away < settings.aligned and yaw_error < settings.aligned_yaw
        if away < 1.3 * settings.aligned and yaw_error < 1.5 * settings.aligned_yaw and tip[2] < settings.grasp + 0.007:
            return np.array([tip[0], tip[1], settings.grasp]), gripper.lower
        if aligned and finger > gripper.upper - 0.004:
            return np.array([cube[0], cube[1], settings.grasp]), gripper.upper
        # Off to the side it keeps a height that clears the cubes, coming down only as it closes in.
        clear = settings.hover if away < 0.05 else max(settings.hover, min(tip[2], settings.carry))
        if tip[2] < settings.hover - 0.025 and away > settings.aligned:
            return np.array([tip[0], tip[1], settings.hover]), gripper.upper
        return np.array([cube[0], cube[1], clear]), gripper.upper

    def _carry(self, tip: Float64Array, spot: Float64Array) -> tuple[Float64Array, float]:
        """Up, over the free spot in the bowl, and open."""
        settings, gripper = self.settings, self._profile.gripper
        over = np.array([*spot, settings.carry])
        if np.linalg.norm(spot - tip[:2]) < settings.over_bowl and tip[2] > settings.carry - 0.03:
            return over, gripper.upper
        near_bowl = np.linalg.norm(self._bowl - tip[:2]) < 0.17
        if tip[2] < (settings.carry - 0.03 if near_bowl else 0.075):
            return np.array([tip[0], tip[1], settings.carry]), gripper.lower
        return over, gripper.lower

    def _free_spot(self, inside: Float64Array, tip: Float64Array) -> Float64Array:
        """Where in the bowl to let go, (2,) m, given the centres (n, 3) m of the cubes in it: not on top of them.

        The middle of an empty bowl; else, of seven spots, the freest of cubes and, among equal ones, near the tip.
        """
        middle = self._bowl
        if len(inside) == 0:
            return middle
        angles = np.arange(6) * np.pi / 3
        spots = middle + np.vstack([[0.0, 0.0], _SPOT_RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])])
        room = np.linalg.norm(spots[:, None] - inside[None, :, :2], axis=2).min(axis=1)
        detour = np.linalg.norm(spots - tip[:2], axis=1)
        return np.asarray(spots[np.argmax(np.minimum(room, _ROOM_ENOUGH) - 0.25 * detour)])


def _yaw(quaternion: Float64Array) -> float:
    """Heading of a body, rad, from a quaternion wxyz."""
    w, x, y, z = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def _quarter_turn(yaw: float, near: float) -> float:
    """The heading equal to `yaw` up to quarter turns that lies nearest to `near`: a cube has four sides."""
    quarter = np.pi / 2
    return float(yaw + quarter * np.round((near - yaw) / quarter))
