"""A scripted expert that puts one cube into the bowl, from the simulator's truth; it makes the training labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.robot.kinematics import forward
from ams_ros.simulation.downward_reach import DownwardReach
from ams_ros.simulation.layout import BOWL_CENTRE, BOWL_INNER_RADIUS, CUBE_SIDE
from ams_ros.simulation.plant import Plant
from ams_ros.types import Float64Array

_SPOT_RADIUS, _ROOM_ENOUGH = 0.038, 0.050
"""How far from the bowl's middle a cube may be let go, and how far from another cube is room enough, m."""


@dataclass(frozen=True, slots=True)
class ExpertSettings:
    """How the expert moves. Lengths in m, angles in rad, per step of 0.05 s where a speed is meant.

    stride: tip travel per step. turn: joint travel per step. hover, grasp, carry: tip heights over a cube, at one and
    with one. aligned, aligned_yaw: how well the tip must stand over a cube before it goes down. over_bowl: how close
    to the bowl's centre it lets go. at_start: joint distance from the start pose that counts as back.
    """

    stride: float = 0.018
    turn: float = 0.09
    hover: float = 0.085
    grasp: float = 0.020
    carry: float = 0.112
    aligned: float = 0.010
    aligned_yaw: float = 0.12
    over_bowl: float = 0.020
    at_start: float = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Advice:
    """What the expert wants in this step.

    action: (dof + 1,) joint targets rad to be reached at the step's end, and the finger target m.
    target: (3,) m, the cube it handles. held: whether a cube is between the closed fingers. idle: done and at rest.
    """

    action: Float64Array
    target: Float64Array
    held: bool
    idle: bool


class Expert:
    """Handles exactly one cube: the one nearest to the gripper. Every label is a function of the present state.

    The one thing it remembers is that its cube was let go of over the bowl: from then on it goes home and stays.
    """

    def __init__(self, plant: Plant, settings: ExpertSettings | None = None) -> None:
        """Take the plant it may look into."""
        self._plant = plant
        self._profile = plant.profile
        self._reach = DownwardReach(plant.profile)
        self.settings = settings or ExpertSettings()
        self._handled: int | None = None
        self.delivered = False

    def advise(self) -> Advice:
        """The clean command for the present state. Raises ValueError when it would leave the joint limits."""
        position = self._plant.joints().position
        joints, finger = position[:-1], float(position[-1])
        rotation, tip = forward(self._profile, joints)
        centres, quaternions = self._plant.cube_poses()
        distances = np.linalg.norm(centres[:, :2] - BOWL_CENTRE, axis=1)
        between = self._between_fingers(centres, rotation, tip)
        closed_on = between & (finger < CUBE_SIDE / 2 + 0.0015)
        held = bool(closed_on.any())
        if self._handled is not None and distances[self._handled] < BOWL_INNER_RADIUS and not held:
            self.delivered = True
        if self.delivered and self._handled is not None:
            return self._go_home(joints, finger, centres[self._handled])
        if (distances < BOWL_INNER_RADIUS).all() and not held:
            return self._go_home(joints, finger, centres[distances.argmin()])
        cube = self._choose(centres, distances, closed_on, tip)
        self._handled = cube
        if held:
            place, opening = self._carry(tip, _free_spot(centres[(distances < BOWL_INNER_RADIUS) & ~closed_on], tip))
            # Wrist rotate winds back on the way, so that it never adds up over cubes.
            yaw = float(joints[0])
        else:
            # Four headings grasp a cube; the nearest one wins, leaning towards an unwound wrist.
            yaw = _quarter_turn(_yaw(quaternions[cube]), float(joints[0] - 0.6 * joints[5]))
            place, opening = self._approach(tip, centres[cube], abs(yaw - float(joints[0] - joints[5])), finger)
        return Advice(self._step_to(joints, tip, place, yaw, opening), centres[cube].copy(), held, False)

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
        if len(outside) == 0:
            raise ValueError("expert: no cube is left outside the bowl")
        return int(outside[np.argmin(np.linalg.norm(centres[outside, :2] - tip[:2], axis=1))])

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
        near_bowl = np.linalg.norm(np.array(BOWL_CENTRE) - tip[:2]) < 0.17
        if tip[2] < (settings.carry - 0.03 if near_bowl else 0.075):
            return np.array([tip[0], tip[1], settings.carry]), gripper.lower
        return over, gripper.lower

    def _go_home(self, joints: Float64Array, finger: float, cube: Float64Array) -> Advice:
        start, gripper = self._profile.start, self._profile.gripper
        gap = start - joints
        home = bool(np.abs(gap).max() < self.settings.at_start)
        if finger < gripper.upper - 0.008:
            goal = joints.copy()
        elif home:
            goal = start.copy()
        else:
            goal = joints + gap * min(1.0, self.settings.turn / float(np.abs(gap).max()))
        return Advice(self._checked(np.append(goal, gripper.upper)), cube.copy(), False, home)

    def _step_to(
        self, joints: Float64Array, tip: Float64Array, place: Float64Array, yaw: float, finger: float
    ) -> Float64Array:
        """One step along the straight line to `place`, its joint travel bounded."""
        way = place - tip
        length = float(np.linalg.norm(way))
        stop = tip + way * min(1.0, self.settings.stride / length) if length > 0.0 else place
        goal = self._reach.solve(stop, yaw)
        if goal is None:
            raise ValueError(f"expert: {stop.round(3).tolist()} m is out of reach")
        gap = goal - joints
        goal = joints + np.clip(gap, -self.settings.turn, self.settings.turn)
        return self._checked(np.append(goal, finger))

    def _checked(self, action: Float64Array) -> Float64Array:
        """Refuse a label that no sane demonstration holds: outside the limits, or the gripper swung round."""
        arm = action[:-1]
        if not ((arm >= self._profile.lower) & (arm <= self._profile.upper)).all():
            raise ValueError(f"expert: {arm.round(3).tolist()} rad is outside the joint limits")
        if abs(arm[0]) > 1.5 or abs(arm[5]) > 1.9:
            raise ValueError(f"expert: waist {arm[0]:.3f} or wrist rotate {arm[5]:.3f} rad is outside the workspace")
        return action


def _yaw(quaternion: Float64Array) -> float:
    """Heading of a body, rad, from a quaternion wxyz."""
    w, x, y, z = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def _free_spot(inside: Float64Array, tip: Float64Array) -> Float64Array:
    """Where in the bowl to let go, (2,) m, given the centres (n, 3) m of the cubes in it: not on top of them.

    The middle of an empty bowl; else, of seven spots, the freest of cubes and, among equal ones, near the tip.
    """
    middle = np.array(BOWL_CENTRE)
    if len(inside) == 0:
        return middle
    angles = np.arange(6) * np.pi / 3
    spots = middle + np.vstack([[0.0, 0.0], _SPOT_RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])])
    room = np.linalg.norm(spots[:, None] - inside[None, :, :2], axis=2).min(axis=1)
    detour = np.linalg.norm(spots - tip[:2], axis=1)
    return np.asarray(spots[np.argmax(np.minimum(room, _ROOM_ENOUGH) - 0.25 * detour)])


def _quarter_turn(yaw: float, near: float) -> float:
    """The heading equal to `yaw` up to quarter turns that lies nearest to `near`: a cube has four sides."""
    quarter = np.pi / 2
    return float(yaw + quarter * np.round((near - yaw) / quarter))
