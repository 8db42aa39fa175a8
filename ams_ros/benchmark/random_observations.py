"""Observations without sense that never repeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ams_ros.policy.protocol import PolicyDescription
from ams_ros.types import CameraImage, Observation

PICTURE_SIZE = 224
"""Width and height (px): what a published policy reads without resizing."""


class RandomObservations:
    """Pictures of noise for a policy: what they show changes no time, only whether it was seen before."""

    def __init__(self, description: PolicyDescription, seed: int, size: int = PICTURE_SIZE) -> None:
        """Make them for the policy's cameras, joints and first instruction ("stack the cubes" for free text)."""
        self._description, self._size = description, size
        self._random = np.random.default_rng(seed)
        self.instruction = description.instructions[0] if description.instructions else "stack the cubes"

    def draw(self) -> Observation:
        """One that was never drawn before."""
        images = {camera: self._picture(camera) for camera in self._description.cameras}
        joints = self._random.uniform(-0.5, 0.5, len(self._description.joint_names))
        return Observation(0.0, self.instruction, joints, 0.02, images)

    def keep_first_picture(self, observation: Observation) -> Observation:
        """The same, with a new picture of every camera but the first."""
        first, *others = self._description.cameras
        return replace(
            observation, images={first: observation.images[first], **{name: self._picture(name) for name in others}}
        )

    def say_otherwise(self, observation: Observation) -> Observation:
        """The same, with the words of the instruction in reverse order."""
        return replace(observation, instruction=" ".join(reversed(observation.instruction.split())))

    def _picture(self, camera: str) -> CameraImage:
        pixels = self._random.integers(0, 256, (self._size, self._size, 3), dtype=np.uint8)
        return CameraImage(camera, 0.0, pixels)
