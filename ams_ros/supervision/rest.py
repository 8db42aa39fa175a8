"""Noticing that the policy has come to rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.types import JointSample


@dataclass(frozen=True, slots=True)
class RestThresholds:
    """When a slice counts as having moved nothing.

    arm: largest change of any arm joint over the slice, rad.
    gripper: largest change of the finger position over the slice, m.
    slices: how many such slices in a row mean that the policy is at rest.
    """

    arm: float = 0.003
    gripper: float = 0.001
    slices: int = 5

    def __post_init__(self) -> None:
        """Refuse thresholds that could never or always fire."""
        for key, value in (("rest.arm", self.arm), ("rest.gripper", self.gripper)):
            if not value > 0.0:
                raise ConfigurationError(key, value, "a number above 0")
        if self.slices < 1:
            raise ConfigurationError("rest.slices", self.slices, "an integer of at least 1")


class RestDetector:
    """Counts slices in a row over which neither arm nor gripper moved."""

    def __init__(self, thresholds: RestThresholds) -> None:
        """Start with a count of zero."""
        self._thresholds = thresholds
        self._still = 0

    def begin_anew(self) -> None:
        """Count from zero again: a slice was broken off, which says nothing about the policy."""
        self._still = 0

    def observe(self, before: JointSample, after: JointSample) -> bool:
        """Take the joints before and after one slice (gripper joint last); returns whether the policy is at rest."""
        change = np.abs(after.position - before.position)
        moved = change[:-1].max() > self._thresholds.arm or change[-1] > self._thresholds.gripper
        self._still = 0 if moved else self._still + 1
        return self._still >= self._thresholds.slices
