"""Closed-form inverse kinematics of the WidowX for a gripper that points straight down."""

from __future__ import annotations

import numpy as np

from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Float64Array


class DownwardReach:
    """Joint angles that put the tip at a place with the gripper pointing down (forearm roll stays at 0).

    Holds for arms of this shape: waist about z, shoulder, elbow and wrist angle about y, wrist rotate about x. Experts
    use it rather than the search of `inverse_kinematics.reach`, because neighbouring places get neighbouring angles.
    """

    def __init__(self, profile: RobotProfile) -> None:
        """Take the link lengths from the profile."""
        waist, shoulder, elbow, roll, wrist, rotate = (np.array(joint.origin_xyz) for joint in profile.joints)
        self._shoulder_height = waist[2] + shoulder[2]
        self._upper = float(np.hypot(elbow[0], elbow[2]))
        self._lean = float(np.arctan2(elbow[2], elbow[0]))
        self._fore = float(roll[0] + wrist[0])
        self._hand = float(rotate[0] + profile.tip_origin[0])

    def solve(self, place: Float64Array, yaw: float) -> Float64Array | None:
        """(6,) rad for the tip at `place` (3,) m in base_link, the fingers opening along the direction yaw + 90 deg.

        None when the place is out of the arm's reach; joint limits are not looked at.
        """
        distance = np.hypot(place[0], place[1])
        height = place[2] + self._hand - self._shoulder_height
        square = distance**2 + height**2
        bend = (square - self._upper**2 - self._fore**2) / (2 * self._upper * self._fore)
        if not -1.0 <= bend <= 1.0:
            return None
        fold = np.arccos(bend)
        rise = np.arctan2(height, distance) + np.arctan2(
            self._fore * np.sin(fold), self._upper + self._fore * np.cos(fold)
        )
        waist = np.arctan2(place[1], place[0])
        shoulder, elbow = self._lean - rise, fold - self._lean
        return np.array([waist, shoulder, elbow, 0.0, np.pi / 2 - shoulder - elbow, waist - yaw])
