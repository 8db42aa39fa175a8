"""Pre-processing by the processor that a published pi0 brings along."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import AutoTokenizer
from transformers.image_processing_backends import PilBackend
from transformers.image_utils import PILImageResampling
from transformers.utils.import_utils import is_torchvision_available

from ams_ros.errors import CheckpointError
from ams_ros.policy.pi0_model import LOADING_ERRORS, PI0_PROCESSOR
from ams_ros.types import PixelArray

PROMPTS_KEPT = 64


class PillowPictures(PilBackend):
    """The settings of transformers' PI0ImageProcessor on its Pillow backend; a checkpoint's own ones replace them."""

    resample = PILImageResampling.BICUBIC
    image_mean = (0.5, 0.5, 0.5)
    image_std = (0.5, 0.5, 0.5)
    size: ClassVar[dict[str, int]] = {"max_height": 224, "max_width": 224}
    default_to_square = False
    do_resize = True
    do_rescale = True
    do_normalize = True
    do_convert_rgb = True
    image_seq_length = 256
    pad_size: ClassVar[dict[str, int]] = {"height": 224, "width": 224}
    do_pad = True


class ProcessorInputs:
    """Pictures and free text through a transformers.PI0Processor."""

    def __init__(self, processor: Any, cameras: int) -> None:
        """`cameras` is how many pictures a prompt makes room for."""
        self._processor = processor
        self._blank = [np.zeros((8, 8, 3), np.uint8)] * cameras
        self._prompts: OrderedDict[str, torch.Tensor] = OrderedDict()

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of the image processor, and the tokenizer word for word."""
        pictures, tokenizer = self._processor.image_processor, self._processor.tokenizer
        # The name of a folder says nothing about the numbers, and the same checkpoint may lie in two.
        settings = {key: value for key, value in pictures.to_dict().items() if key != "_name_or_path"}
        return {
            "pictures": type(pictures).__name__,
            "picture_settings": settings,
            "words": sorted(tokenizer.get_vocab().items()),
            "special_words": {name: str(word) for name, word in sorted(tokenizer.special_tokens_map.items())},
            "cameras": len(self._blank),
        }

    def pixels(self, pictures: Sequence[PixelArray]) -> torch.Tensor:
        """Resize, pad and scale every picture as the checkpoint's image processor does."""
        pixels: torch.Tensor = self._processor.image_processor(list(pictures), return_tensors="pt")["pixel_values"]
        return pixels

    def prompt(self, instruction: str) -> torch.Tensor:
        """The prompt without padding; remembered, because the processor wants pictures for making it."""
        if instruction not in self._prompts:
            made = self._processor(images=[self._blank], text=[instruction], padding=False, return_tensors="pt")
            self._prompts[instruction] = made["input_ids"]
            if len(self._prompts) > PROMPTS_KEPT:
                self._prompts.popitem(last=False)
        return self._prompts[instruction]


def load_processor(source: str) -> Any:
    """The PI0Processor of a local folder or hub id; raises CheckpointError when it cannot be loaded.

    Its own image processor runs on torchvision. Where that is not installed the same settings run on Pillow.
    """
    try:
        if is_torchvision_available():
            return PI0_PROCESSOR.from_pretrained(source)
        pictures, tokenizer = PillowPictures.from_pretrained(source), AutoTokenizer.from_pretrained(source)
        return PI0_PROCESSOR(image_processor=pictures, tokenizer=tokenizer)
    except LOADING_ERRORS as error:
        raise CheckpointError(f"checkpoint {source}: the processor cannot be loaded: {error}") from error
