"""A pi0 of the published size with random weights, for asking what each stage costs there."""

from __future__ import annotations

from typing import Any

import numpy as np
import psutil
import torch
from transformers.initialization import no_init_weights

from ams_ros.errors import ConfigurationError
from ams_ros.policy.checkpoint_card import CheckpointCard
from ams_ros.policy.embodiment import Embodiment
from ams_ros.policy.model_inputs import WordInputs
from ams_ros.policy.normalisation import Normalisation, PixelStatistics
from ams_ros.policy.pi0 import Pi0Policy
from ams_ros.policy.pi0_model import PI0, PI0_CONFIG, Pi0Model, sizes_of
from ams_ros.policy.vocabulary import WordVocabulary

FREE_MEMORY = 10 * 2**30
"""Bytes that must be free before a model of the published size is built: 6.6 GiB of weights, and room to run."""

CAMERAS = ("base", "left_wrist", "right_wrist")
"""pi0's three pictures (Black et al. 2024, "pi0: A Vision-Language-Action Flow Model", appendix)."""

INSTRUCTION_TOKENS = 48
"""Length of pi0's prompt in openpi; with three pictures of 256 tokens the prefix is 816 tokens long."""

_DOF = 6
_BLOCK = 2**22


def full_size_policy(threads: int) -> Pi0Policy:
    """Build it: SigLIP So400m at 224 x 224, Gemma 2B, an action expert of 300M, 50 steps of 32 values, in bfloat16.

    Raises ConfigurationError when less than FREE_MEMORY bytes are free.
    """
    check_memory(psutil.virtual_memory().available)
    # transformers' default configuration of pi0 is the published one.
    return random_policy(PI0_CONFIG(attn_implementation="sdpa"), torch.bfloat16, threads)


def check_memory(free: int) -> None:
    """Raise ConfigurationError when `free` bytes are too few for a model of the published size."""
    if free < FREE_MEMORY:
        raise ConfigurationError(
            "--full-size", f"{free / 2**30:.1f} GiB of free memory", f"at least {FREE_MEMORY / 2**30:.0f} GiB"
        )


def random_policy(config: Any, dtype: torch.dtype, threads: int) -> Pi0Policy:
    """A policy of that configuration with random weights, three cameras and an instruction of any 48 words.

    What it says is without sense; the time it takes depends on shapes alone.
    """
    model = _random_model(config, dtype)
    words = WordVocabulary(tuple(f"word{number}" for number in range(INSTRUCTION_TOKENS)))
    pixels = PixelStatistics(np.full(3, 127.5, np.float32), np.full(3, 127.5, np.float32))
    sizes = sizes_of(model)
    card = CheckpointCard(
        model_id="random weights",
        weights_sha256="random weights",
        embodiment=_embodiment(sizes.horizon),
        instructions=(" ".join(words.words),),
        denoising_steps=sizes.denoising_steps,
        vocabulary=words.words,
        pixels=pixels,
    )
    return Pi0Policy(model, WordInputs(words, pixels, sizes, len(CAMERAS)), card, threads)


def _random_model(config: Any, dtype: torch.dtype) -> Pi0Model:
    """Weights repeat one block of normal numbers: drawing three billion of them would take minutes."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with no_init_weights():
            model = PI0(config)
    finally:
        torch.set_default_dtype(before)
    block = torch.empty(_BLOCK, dtype=dtype).normal_(0.0, 0.02, generator=torch.Generator().manual_seed(0))
    for parameter in model.parameters():
        for part in parameter.detach().view(-1).split(_BLOCK):
            part.copy_(block[: len(part)])
    return model


def _embodiment(horizon: int) -> Embodiment:
    ones = np.ones(_DOF + 1, np.float32)
    return Embodiment(
        cameras=CAMERAS,
        joint_names=tuple(f"joint_{number}" for number in range(_DOF)),
        joint_lower=np.full(_DOF, -np.pi),
        joint_upper=np.full(_DOF, np.pi),
        gripper_lower=0.0,
        gripper_upper=0.04,
        gripper_levels=np.empty(0),
        execute=max(1, horizon // 2),
        period=0.02,
        relative_joints=False,
        normalisation=Normalisation(0.0 * ones, ones, 0.0 * ones, ones),
    )
