"""What can be done to the arm and its scene from outside, straight on the MuJoCo model."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement

import mujoco
import numpy as np

from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.faults.fault import FOREARM, HAND
from ams_ros.simulation.workspace import Workspace
from ams_ros.types import Float64Array

OBSTACLE = "obstacle"
OBSTACLE_SIDE = 0.08
"""m; the open fingers do not fit around it."""

_ABOVE_TABLE = (0.27, 0.10, 0.13)
"""Middle of an obstacle above the table, m, in the table's frame: between where cubes lie and the bowl."""

_AWAY = (0.0, 0.0, -5.0)
"""Where the obstacle waits: below the floor, out of everything's reach and sight."""


def add_obstacle(world: Element, solid: dict[str, str]) -> None:
    """Append the box to the world body, after all else so that nothing else is numbered differently.

    solid: the contact attributes of what the arm can touch.
    """
    body = SubElement(world, "body", name=OBSTACLE, mocap="true", pos=" ".join(map(str, _AWAY)))
    half = str(OBSTACLE_SIDE / 2)
    SubElement(body, "geom", solid, name=OBSTACLE, type="box", size=f"{half} {half} {half}", rgba="0.35 0.37 0.40 0")


class Disturbances:
    """Changes a compiled model and its state, and changes them back."""

    def __init__(self, model: Any, data: Any, profile: RobotProfile, workspace: Workspace) -> None:
        """model, data: of `build_model`, whose arm is `profile`'s, in front of this workspace."""
        self.above_table = workspace.place(*_ABOVE_TABLE)
        """(3,) m, where an obstacle above the table belongs, in base_link."""
        self._model, self._data, self._profile = model, data, profile
        links = [joint.child for joint in profile.joints]
        self._bodies = {HAND: links[-1], FOREARM: links[-3:][0]}
        self._dofs = np.array([model.joint(name).dofadr[0] for name in profile.joint_names])
        self._joints = np.array([model.joint(name).id for name in profile.joint_names])
        self._tip = model.site(profile.tip_link).id
        self._box = model.geom(OBSTACLE).id
        arm = {model.body(profile.base_link).id}
        for body in range(model.nbody):
            if model.body_parentid[body] in arm:
                arm.add(body)
        solid = (model.geom_contype != 0) | (model.geom_conaffinity != 0)
        self._arm_shapes = np.flatnonzero(solid & np.isin(model.geom_bodyid, list(arm)))
        self._cubes, self._cups = (
            np.array([k for k in range(model.ngeom) if model.geom(k).name.startswith(kind)], dtype=int)
            for kind in ("cube_", "cup_")
        )
        self._friction = model.dof_frictionloss[self._dofs].copy()
        self._torque = model.jnt_actfrcrange[self._joints].copy()
        self._grip: Float64Array | None = None

    def clear(self) -> None:
        """Undo everything."""
        self.push(HAND, np.zeros(3))
        self.push(FOREARM, np.zeros(3))
        self.take_obstacle_away()
        self.regrip()
        self.free_joints()
        self.strengthen()

    def push(self, target: str, force: Float64Array) -> None:
        """Let `force` (3,) N in base_link act on the hand's or forearm's centre of mass; zero ends it."""
        self._data.body(self._bodies[target]).xfrc_applied[:3] = force

    def slick(self, friction: float) -> None:
        """Give all cubes this sliding friction coefficient."""
        if self._grip is None:
            self._grip = self._model.geom_friction[self._cubes, 0].copy()
        self._model.geom_friction[self._cubes, 0] = friction

    def regrip(self) -> None:
        """Give the cubes the friction back that they had."""
        if self._grip is not None:
            self._model.geom_friction[self._cubes, 0] = self._grip
            self._grip = None

    def jam(self, joint: str, friction: float) -> None:
        """Let dry friction of that many N m hold a joint."""
        self._model.dof_frictionloss[self._dofs[self._profile.joint_names.index(joint)]] = friction

    def free_joints(self) -> None:
        """Give all joints the friction back that they had."""
        self._model.dof_frictionloss[self._dofs] = self._friction

    def weaken(self, share: float, joint: str) -> None:
        """Leave the motor of a joint, or of all for an empty name, `share` of its torque limit."""
        names = self._profile.joint_names
        rows = slice(None) if not joint else names.index(joint)
        self._model.jnt_actfrcrange[self._joints[rows]] = share * self._torque[rows]

    def strengthen(self) -> None:
        """Give all motors their torque limits back."""
        self._model.jnt_actfrcrange[self._joints] = self._torque

    def tip_velocity(self) -> Float64Array:
        """(3,) m/s of the point between the fingers, in base_link."""
        velocity = np.zeros(6)
        mujoco.mj_objectVelocity(self._model, self._data, mujoco.mjtObj.mjOBJ_SITE, self._tip, velocity, 0)
        return velocity[3:]

    def tip(self) -> Float64Array:
        """(3,) m, the point between the fingers, in base_link."""
        return np.array(self._data.site_xpos[self._tip])

    def place_obstacle(self, centre: Float64Array, clearance: float) -> bool:
        """Put the box upright at `centre` (3,) m if arm and objects are at least `clearance` m away; whether it is."""
        self._data.geom_xpos[self._box] = centre
        self._data.geom_xmat[self._box] = np.eye(3).ravel()
        others = (*self._arm_shapes, *self._cubes, *self._cups)
        if any(
            mujoco.mj_geomDistance(self._model, self._data, self._box, shape, clearance, None) < clearance
            for shape in others
        ):
            return False
        self._data.mocap_pos[0] = centre
        self._model.geom_rgba[self._box, 3] = 1.0
        return True

    def take_obstacle_away(self) -> None:
        """Put the box out of the way."""
        self._data.mocap_pos[0] = _AWAY
        self._model.geom_rgba[self._box, 3] = 0.0

    def obstacle_touched(self) -> bool:
        """Whether the arm touches the box now."""
        return any(
            self._box in pair and np.isin(pair, self._arm_shapes).any()
            for pair in self._data.contact.geom[: self._data.ncon]
        )

    def contact_force(self) -> Float64Array:
        """(3,) N in base_link, what all that touches the arm exerts on it together; a mere grip cancels out."""
        total, one = np.zeros(3), np.zeros(6)
        pairs = np.isin(self._data.contact.geom[: self._data.ncon], self._arm_shapes)
        for index in np.flatnonzero(pairs[:, 0] != pairs[:, 1]):
            mujoco.mj_contactForce(self._model, self._data, index, one)
            force = self._data.contact.frame[index].reshape(3, 3).T @ one[:3]
            # MuJoCo tells what the first of the two exerts on the second.
            total += -force if pairs[index, 0] else force
        return total
