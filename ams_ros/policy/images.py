"""Bringing camera pictures to the size a policy reads; training and inference share this one way."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ams_ros.types import PixelArray


def square(pixels: PixelArray, size: int) -> PixelArray:
    """Centre-crop (height, width, 3) uint8 to a square and resample it, antialiased, to (size, size, 3) uint8."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cropped = pixels[top : top + side, left : left + side]
    if side == size:
        return np.ascontiguousarray(cropped)
    return np.asarray(Image.fromarray(cropped).resize((size, size), Image.Resampling.BILINEAR))
