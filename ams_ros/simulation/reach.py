"""Joint angles for a gripper that points straight down, in closed form, for the arms the simulation knows."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.downward_reach import DownwardReach
from ams_ros.types import Float64Array


class Reach(Protocol):
    """One branch of an arm's inverse kinematics, the gripper pointing down: neighbouring places, neighbouring angles.

    Labels made with it are a function of the present state, as they would not be with a search that may change branch.
    """

    def solve(self, place: Float64Array, yaw: float) -> Float64Array | None:
        """(dof,) rad for the tip at `place` (3,) m in the base link, the fingers opening along yaw + 90 deg.

        None when the place is out of the arm's reach; joint limits are not looked at.
        """
        ...


class OffsetWristReach:
    """For arms with three parallel joints behind the waist and a wrist of two more, each at right angles to the last.

    JAKA's, Universal Robots' and others are built so. Elbow up; the wrist's fifth joint stays at a right angle. At zero
    the waist turns about z, joints two to four about -y, the fifth about -z and the last about -y, along the gripper.
    """

    def __init__(self, profile: RobotProfile) -> None:
        """Take the link lengths from the profile."""
        waist, shoulder, elbow, wrist, bend, twist = (np.array(joint.origin_xyz) for joint in profile.joints)
        self._shoulder_height = float(waist[2] + shoulder[2])
        self._upper, self._fore = float(elbow[0]), float(wrist[0])
        self._aside = float(-(elbow + wrist)[2])
        self._ahead = float(-bend[1])
        self._hand = float(twist[1] + profile.tip_origin[0])

    def solve(self, place: Float64Array, yaw: float) -> Float64Array | None:
        """(6,) rad for the tip at `place`; see `Reach`."""
        distance = float(np.hypot(place[0], place[1]))
        if distance <= self._aside:
            return None
        ahead = np.sqrt(distance**2 - self._aside**2) - self._ahead
        height = place[2] + self._hand - self._shoulder_height
        fold = (ahead**2 + height**2 - self._upper**2 - self._fore**2) / (2 * self._upper * self._fore)
        if not -1.0 <= fold <= 1.0:
            return None
        elbow = -np.arccos(fold)
        shoulder = np.arctan2(height, ahead) - np.arctan2(
            self._fore * np.sin(elbow), self._upper + self._fore * np.cos(elbow)
        )
        waist = np.arctan2(place[1], place[0]) - np.arcsin(self._aside / distance)
        quarter = np.pi / 2
        return np.array([waist, shoulder, elbow, quarter - shoulder - elbow, quarter, waist - yaw])


_SHAPES: tuple[tuple[tuple[str, ...], type[DownwardReach] | type[OffsetWristReach]], ...] = (
    (("+z", "+y", "+y", "+x", "+y", "+x"), DownwardReach),
    (("+z", "-y", "-y", "-y", "-z", "-y"), OffsetWristReach),
)


def reach_of(profile: RobotProfile) -> Reach:
    """The closed form that holds for this arm. Raises ConfigurationError for an arm of a shape without one."""
    axes = _axes_at_zero(profile)
    for shape, closed_form in _SHAPES:
        if axes == shape:
            return closed_form(profile)
    allowed = " or ".join(", ".join(shape) for shape, _ in _SHAPES)
    raise ConfigurationError(f"{profile.name}: joint axes at angle zero", ", ".join(axes), allowed)


def _axes_at_zero(profile: RobotProfile) -> tuple[str, ...]:
    """Each joint's axis in the base link, "?" where it is not along one of the base link's axes."""
    rotation, names = np.eye(3), []
    for joint in profile.joints:
        rotation = rotation @ joint.origin_rotation
        axis = rotation @ np.array(joint.axis)
        along = int(np.abs(axis).argmax())
        aligned = abs(axis[along]) > 1.0 - 1e-9
        names.append(f"{'+' if axis[along] > 0.0 else '-'}{'xyz'[along]}" if aligned else "?")
    return tuple(names)
