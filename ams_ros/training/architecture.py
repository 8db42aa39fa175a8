"""The small pi0: transformers' own classes, configured small."""

from __future__ import annotations

from typing import Any

from ams_ros.policy.pi0_model import PI0_CONFIG
from ams_ros.training.recipe import Recipe


def small_config(recipe: Recipe, values: int, attention: str = "sdpa") -> Any:
    """The configuration of a pi0 of the recipe's shape for `values` joint values (arm joints and finger).

    attention: "eager" trains faster at these sizes, "sdpa" infers faster; the weights fit both.
    """
    shape = recipe.shape
    gemma: dict[str, Any] = {
        "model_type": "gemma",
        "hidden_size": shape.width,
        "num_hidden_layers": shape.language_layers,
        "intermediate_size": shape.language_mlp,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.width // shape.heads,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": 256,
        "initializer_range": shape.initializer_range,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    vision = {
        "model_type": "siglip_vision_model",
        "hidden_size": shape.width,
        "intermediate_size": shape.vision_mlp,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": shape.heads,
        "image_size": shape.image_size,
        "patch_size": shape.patch_size,
        "vision_use_head": False,
        "initializer_range": shape.initializer_range,
    }
    return PI0_CONFIG(
        vlm_config={
            "model_type": "paligemma",
            "text_config": dict(gemma),
            "vision_config": vision,
            "projection_dim": shape.width,
            "image_token_id": shape.vocabulary - 1,
            "initializer_range": shape.initializer_range,
        },
        dit_config=dict(gemma),
        chunk_size=recipe.horizon,
        max_state_dim=values,
        max_action_dim=values,
        num_inference_steps=recipe.denoising_steps,
        initializer_range=shape.initializer_range,
        attn_implementation=attention,
    )
