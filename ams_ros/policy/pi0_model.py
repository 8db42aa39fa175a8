"""The one place that names transformers' pi0 classes.

The annotations of transformers are incomplete (its config classes are typed as optional dictionaries), so for the type
checker a model is Any; what this package needs of it is read here once into typed records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

Pi0Model: TypeAlias = Any
"""A transformers.PI0ForConditionalGeneration, unmodified."""

PI0: Any = transformers.PI0ForConditionalGeneration
PI0_CONFIG: Any = transformers.PI0Config
PI0_PROCESSOR: Any = transformers.PI0Processor

LOADING_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    KeyError,
    TypeError,
    ImportError,
    SafetensorError,
    StrictDataclassError,
)
"""What transformers raises for folders that hold no usable model; every one becomes a CheckpointError."""


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """Sizes that a pi0 model's configuration fixes.

    horizon: steps per slice. state_values, action_values: joint values it has room for.
    denoising_steps: the configuration's own number. image_size: pixels; image_tokens: per camera.
    image_token_id: stands for an image token in a prompt. words: token ids below which words may lie.
    width: of an encoded image token. layers, kv_heads, head_dim: of the prefix cache.
    """

    horizon: int
    state_values: int
    action_values: int
    denoising_steps: int
    image_size: int
    image_tokens: int
    image_token_id: int
    words: int
    width: int
    layers: int
    kv_heads: int
    head_dim: int


def sizes_of(model: Pi0Model) -> ModelSizes:
    """Read the sizes of a model."""
    config = model.config
    vision, language = config.vlm_config.vision_config, config.vlm_config
    text = language.text_config
    return ModelSizes(
        horizon=config.chunk_size,
        state_values=config.max_state_dim,
        action_values=config.max_action_dim,
        denoising_steps=config.num_inference_steps,
        image_size=vision.image_size,
        image_tokens=(vision.image_size // vision.patch_size) ** 2,
        image_token_id=language.image_token_id,
        words=min(text.vocab_size, language.image_token_id),
        width=language.projection_dim,
        layers=text.num_hidden_layers,
        kv_heads=text.num_key_value_heads,
        head_dim=text.head_dim,
    )


def silence_loading() -> None:
    """Switch off transformers' own bars: they would break up the bars of those who call."""
    logging: Any = transformers.utils.logging
    logging.disable_progress_bar()
