"""Turning pictures and instructions into what a pi0 model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from ams_ros.policy.images import square
from ams_ros.policy.normalisation import PixelStatistics
from ams_ros.policy.pi0_model import ModelSizes
from ams_ros.policy.vocabulary import WordVocabulary
from ams_ros.types import PixelArray


class ModelInputs(Protocol):
    """The pre-processing that belongs to one checkpoint."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that shapes its numbers, in a form that JSON can write and that is the same in every process."""
        ...

    def pixels(self, pictures: Sequence[PixelArray]) -> torch.Tensor:
        """Pictures of any size to (cameras, 3, height, width) float32."""
        ...

    def prompt(self, instruction: str) -> torch.Tensor:
        """Token ids (1, prefix_length) int64: the image tokens of all cameras, then the instruction."""
        ...


def normalise_pixels(pixels: torch.Tensor, statistics: PixelStatistics) -> torch.Tensor:
    """Pixels (..., height, width, 3) in 0..255 to float32 (..., 3, height, width) of mean 0 and deviation 1."""
    mean, std = torch.from_numpy(statistics.mean), torch.from_numpy(statistics.std)
    return ((pixels.float() - mean) / std).movedim(-1, -3)


class WordInputs:
    """Pre-processing of our own small checkpoints: square pictures and a vocabulary of words."""

    def __init__(self, vocabulary: WordVocabulary, pixels: PixelStatistics, sizes: ModelSizes, cameras: int) -> None:
        """`cameras` is how many pictures a prompt makes room for."""
        self._statistics = pixels
        self._vocabulary = vocabulary
        self._image_size = sizes.image_size
        self._image_ids = [sizes.image_token_id] * (sizes.image_tokens * cameras)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Vocabulary, picture size and pixel statistics."""
        return {
            "pictures": "square",
            "image_size": self._image_size,
            "pixel_mean": self._statistics.mean.tolist(),
            "pixel_std": self._statistics.std.tolist(),
            "words": list(self._vocabulary.words),
            "image_ids": self._image_ids,
        }

    def pixels(self, pictures: Sequence[PixelArray]) -> torch.Tensor:
        """Crop and resize every picture to a square."""
        stacked = np.stack([square(picture, self._image_size) for picture in pictures])
        return normalise_pixels(torch.from_numpy(stacked), self._statistics)

    def prompt(self, instruction: str) -> torch.Tensor:
        """Raises ConfigurationError for words outside the vocabulary."""
        return torch.tensor([[*self._image_ids, *self._vocabulary.encode(instruction)]])
