"""Approximate reuse: a picture that hardly differs from the one that was encoded counts as that one (spec C7).

Off unless asked for, bounded in difference and in age, and reported slice by slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.types import CameraImage, Float64Array, PixelArray

CELLS = 16
"""Patches along each side of a picture, whatever its size: as many as pi0 itself cuts 224 pixels into."""


def patch_difference(one: PixelArray, other: PixelArray) -> float:
    """How much two pictures differ where they differ most: 0 (identical) to 1 (a black patch that was white).

    Pictures (height, width, 3) uint8 are cut into CELLS x CELLS patches; of each the mean absolute difference of its
    values over 255 is taken, and the largest patch counts. The mean of all patches would let a moved cube pass, which
    is the one thing that must not. Pictures of unlike shape differ by 1.
    """
    if one.shape != other.shape:
        return 1.0
    change = np.maximum(one, other) - np.minimum(one, other)
    rows = _summed_along(change.sum(axis=2, dtype=np.float64), 0)
    sums = _summed_along(rows, 1)
    sizes = np.outer(_lengths(one.shape[0]), _lengths(one.shape[1]))
    return float((sums / sizes).max() / (3 * 255))


def _edges(length: int) -> list[int]:
    cells = min(CELLS, length)
    return [length * cell // cells for cell in range(cells)]


def _lengths(length: int) -> Float64Array:
    return np.diff([*_edges(length), length]).astype(np.float64)


def _summed_along(values: Float64Array, axis: int) -> Float64Array:
    return np.add.reduceat(values, _edges(values.shape[axis]), axis=axis)


@dataclass(frozen=True, slots=True)
class Near:
    """A picture that passes for an encoded one: the key of that one, and by how much they differ."""

    key: bytes
    difference: float


@dataclass(frozen=True, slots=True, eq=False)
class _Reference:
    key: bytes
    pixels: PixelArray
    slice: int


class ApproximateReuse:
    """Remembers by camera the picture that was last really encoded, and tells whether another passes for it.

    A picture that passed never becomes the reference itself, so that a scene cannot drift away in small steps.
    """

    def __init__(self, threshold: float, maximum_age: int) -> None:
        """threshold: largest patch_difference let pass, above 0. maximum_age: slices a reference may serve, at least 1.

        Raises ConfigurationError for other numbers.
        """
        if not 0.0 < threshold < 1.0:
            raise ConfigurationError("approximate_threshold", threshold, "above 0 and below 1")
        if maximum_age < 1:
            raise ConfigurationError("approximate_maximum_age", maximum_age, "an integer of at least 1")
        self._threshold, self._maximum_age = threshold, maximum_age
        self._references: dict[str, _Reference] = {}
        self._slice = 0

    def next_slice(self) -> None:
        """Another inference begins; every reference is one slice older."""
        self._slice += 1

    def near(self, image: CameraImage) -> Near | None:
        """What `image` passes for; None when its reference differs too much, is too old, or there is none."""
        reference = self._references.get(image.camera)
        if reference is None or self._slice - reference.slice > self._maximum_age:
            return None
        difference = patch_difference(reference.pixels, image.pixels)
        return Near(reference.key, difference) if difference <= self._threshold else None

    def remember(self, image: CameraImage, key: bytes) -> None:
        """The features of `image` itself are at hand under `key`: it is the camera's reference from now on."""
        self._references[image.camera] = _Reference(key, image.pixels, self._slice)

    def forget(self) -> None:
        """No camera has a reference any more."""
        self._references.clear()
