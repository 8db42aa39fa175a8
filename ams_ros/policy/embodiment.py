"""The body a policy's numbers belong to: cameras, joints, limits, and what a target means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.errors import InferenceError
from ams_ros.policy.normalisation import Normalisation
from ams_ros.types import Float32Array, Float64Array, Observation, PixelArray


@dataclass(frozen=True, slots=True, eq=False)
class Embodiment:
    """What lies between a robot and the numbers of a policy.

    cameras: names of the images, in the order the policy reads them.
    joint_names: arm joints, in order; joint_lower, joint_upper: (dof,) float64, rad.
    gripper_lower, gripper_upper: finger limits, m (closed, open).
    gripper_levels: (k,) m, the only finger targets there are, and decoded ones are rounded to; empty when any may be
        had. Fingers that are only opened and closed need no command for every trace of noise in a slice, and every
        command cuts the arm's trajectory in two.
    execute, period: steps to run of a slice, seconds per step.
    relative_joints: whether joint targets count from the joints measured when the slice starts; finger targets are
        absolute always.
    normalisation: statistics for states and actions.
    """

    cameras: tuple[str, ...]
    joint_names: tuple[str, ...]
    joint_lower: Float64Array
    joint_upper: Float64Array
    gripper_lower: float
    gripper_upper: float
    gripper_levels: Float64Array
    execute: int
    period: float
    relative_joints: bool
    normalisation: Normalisation

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        dof = len(self.joint_names)
        if dof == 0 or not self.cameras:
            raise ValueError("embodiment: at least one joint and one camera are needed")
        if self.joint_lower.shape != (dof,) or self.joint_upper.shape != (dof,):
            raise ValueError(f"embodiment: limits of {self.joint_lower.shape}, expected ({dof},)")
        if not ((self.joint_lower < self.joint_upper).all() and self.gripper_lower < self.gripper_upper):
            raise ValueError("embodiment: every lower limit must be below the upper one")
        levels = self.gripper_levels
        if levels.ndim != 1 or not ((levels >= self.gripper_lower) & (levels <= self.gripper_upper)).all():
            raise ValueError("embodiment: every gripper level must lie within the gripper's limits")
        if self.normalisation.size != dof + 1:
            raise ValueError(f"embodiment: statistics for {self.normalisation.size} values, expected {dof + 1}")
        if self.execute < 1 or not self.period > 0.0:
            raise ValueError(f"embodiment: execute {self.execute}, period {self.period}, expected 1.. and above 0")

    @property
    def dof(self) -> int:
        """Number of arm joints."""
        return len(self.joint_names)

    def pictures(self, observation: Observation, cameras: tuple[str, ...]) -> list[PixelArray]:
        """The pixels of those cameras, in that order; raises InferenceError naming those that are missing."""
        missing = [camera for camera in cameras if camera not in self.cameras or camera not in observation.images]
        if missing:
            raise InferenceError(
                f"no image from camera {', '.join(missing)}; the policy needs {', '.join(self.cameras)}"
            )
        return [observation.images[camera].pixels for camera in cameras]

    def state(self, observation: Observation) -> Float32Array:
        """The measured joints and finger, normalised: (dof + 1,) float32; raises InferenceError if unfit."""
        if observation.joints.shape != (self.dof,):
            raise InferenceError(f"{len(observation.joints)} joints observed, the policy needs {self.dof}")
        measured = np.append(observation.joints, observation.gripper).astype(np.float32)
        if not np.isfinite(measured).all():
            raise InferenceError("a measured joint position is not a finite number")
        return self.normalisation.normalise_state(measured)

    def targets(self, observation: Observation, action: Float32Array) -> tuple[Float64Array, Float64Array]:
        """Normalised actions (horizon, dof + 1) to joints (horizon, dof) rad and fingers (horizon,) m, in limits."""
        restored = self.normalisation.restore_action(action).astype(np.float64)
        joints = restored[:, : self.dof]
        if self.relative_joints:
            joints = joints + observation.joints
        fingers = np.clip(restored[:, self.dof], self.gripper_lower, self.gripper_upper)
        if len(self.gripper_levels):
            fingers = self.gripper_levels[np.abs(fingers[:, None] - self.gripper_levels).argmin(axis=1)]
        return np.clip(joints, self.joint_lower, self.joint_upper), fingers
