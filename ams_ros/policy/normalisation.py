"""Bringing pictures, states and actions to mean 0 and deviation 1, and actions back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.types import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Normalisation:
    """Statistics of the demonstrations a policy was trained on, one number per joint and, last, the finger.

    state_mean, state_std: (dof + 1,) float32, measured joints in rad and finger in m.
    action_mean, action_std: (dof + 1,) float32, joint targets in rad and finger targets in m, in the sense the
    embodiment gives them (relative to the measured pose, or absolute).
    """

    state_mean: Float32Array
    state_std: Float32Array
    action_mean: Float32Array
    action_std: Float32Array

    def __post_init__(self) -> None:
        """Refuse statistics that do not fit together or cannot be divided by."""
        size = self.state_mean.shape
        arrays = (self.state_mean, self.state_std, self.action_mean, self.action_std)
        if len(size) != 1 or any(array.shape != size for array in arrays):
            raise ValueError(
                f"normalisation: shapes {[array.shape for array in arrays]}, expected four times (dof + 1,)"
            )
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("normalisation: every mean and deviation must be a finite number")
        if not ((self.state_std > 0).all() and (self.action_std > 0).all()):
            raise ValueError("normalisation: every deviation must be above 0")

    @property
    def size(self) -> int:
        """Joints plus the finger."""
        return len(self.state_mean)

    def normalise_state(self, state: Float32Array) -> Float32Array:
        """(..., dof + 1) in rad and m to (..., dof + 1) without unit."""
        return ((state - self.state_mean) / self.state_std).astype(np.float32)

    def normalise_action(self, action: Float32Array) -> Float32Array:
        """(..., dof + 1) in rad and m to (..., dof + 1) without unit."""
        return ((action - self.action_mean) / self.action_std).astype(np.float32)

    def restore_action(self, action: Float32Array) -> Float32Array:
        """(..., dof + 1) without unit back to rad and m."""
        return (action * self.action_std + self.action_mean).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PixelStatistics:
    """Mean and deviation of red, green and blue over the pictures a policy was trained on: (3,) float32, 0..255."""

    mean: Float32Array
    std: Float32Array

    def __post_init__(self) -> None:
        """Refuse statistics that cannot be divided by."""
        if self.mean.shape != (3,) or self.std.shape != (3,):
            raise ValueError(f"pixel statistics: shapes {self.mean.shape} and {self.std.shape}, expected (3,)")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0).all()):
            raise ValueError("pixel statistics: every number must be finite and every deviation above 0")
