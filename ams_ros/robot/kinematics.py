"""Forward kinematics of a profile's arm."""

from __future__ import annotations

import numpy as np

from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Float64Array


def forward(profile: RobotProfile, position: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Pose of the tip link in the base link at joint angles `position` (dof,) rad: rotation (3, 3), place (3,) m."""
    rotation, place = np.eye(3), np.zeros(3)
    for joint, angle in zip(profile.joints, position, strict=True):
        place = place + rotation @ np.array(joint.origin_xyz)
        if any(joint.origin_rpy):
            rotation = rotation @ joint.origin_rotation
        rotation = rotation @ _turn(np.array(joint.axis), float(angle))
    return rotation, place + rotation @ np.array(profile.tip_origin)


def _turn(axis: Float64Array, angle: float) -> Float64Array:
    """Rotation by `angle` rad about the unit vector `axis` (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross), dtype=np.float64)
