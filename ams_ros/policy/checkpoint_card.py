"""What stands beside the weights of a checkpoint: ams.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ams_ros.errors import CheckpointError
from ams_ros.policy.embodiment import Embodiment
from ams_ros.policy.normalisation import Normalisation, PixelStatistics
from ams_ros.types import Float32Array

CARD = "ams.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class CheckpointCard:
    """Everything about a checkpoint that the model's own config does not say.

    vocabulary: words in the order of their token ids; pixels: statistics of the training pictures. Both None when the
        checkpoint brings its own processor.
    weights_sha256: hex digest of model.safetensors.
    training: how it came about (demo mix, seed, commit, iterations, recipe); for people only.
    """

    model_id: str
    weights_sha256: str
    embodiment: Embodiment
    instructions: tuple[str, ...]
    denoising_steps: int
    vocabulary: tuple[str, ...] | None
    pixels: PixelStatistics | None
    training: Mapping[str, Any] = field(default_factory=dict)


def write_card(folder: Path, card: CheckpointCard, horizon: int) -> None:
    """Write ams.json into `folder`."""
    body, statistics = card.embodiment, card.embodiment.normalisation
    content = {
        "format": FORMAT,
        "model_id": card.model_id,
        "weights_sha256": card.weights_sha256,
        "cameras": list(body.cameras),
        "joint_names": list(body.joint_names),
        "joint_lower": body.joint_lower.tolist(),
        "joint_upper": body.joint_upper.tolist(),
        "gripper_lower": body.gripper_lower,
        "gripper_upper": body.gripper_upper,
        "gripper_levels": body.gripper_levels.tolist(),
        "horizon": horizon,
        "execute": body.execute,
        "period": body.period,
        "relative_joints": body.relative_joints,
        "denoising_steps": card.denoising_steps,
        "instructions": list(card.instructions),
        "vocabulary": None if card.vocabulary is None else list(card.vocabulary),
        "statistics": {
            "state_mean": statistics.state_mean.tolist(),
            "state_std": statistics.state_std.tolist(),
            "action_mean": statistics.action_mean.tolist(),
            "action_std": statistics.action_std.tolist(),
        },
        "pixels": None if card.pixels is None else {"mean": card.pixels.mean.tolist(), "std": card.pixels.std.tolist()},
        "training": dict(card.training),
    }
    (folder / CARD).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_card(folder: Path) -> CheckpointCard:
    """Read ams.json; raises CheckpointError naming what is missing or cannot be used."""
    path = folder / CARD
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint {folder} is incomplete: {CARD} is missing") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"checkpoint {folder} is damaged: {CARD} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"checkpoint {folder}: {CARD} is not of format {FORMAT}")
    try:
        return _card(content)
    except KeyError as error:
        raise CheckpointError(f"checkpoint {folder} is damaged: {CARD} lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"checkpoint {folder} is damaged: {CARD}: {error}") from error


def _card(content: dict[str, Any]) -> CheckpointCard:
    statistics = content["statistics"]
    embodiment = Embodiment(
        cameras=tuple(content["cameras"]),
        joint_names=tuple(content["joint_names"]),
        joint_lower=np.asarray(content["joint_lower"], dtype=np.float64),
        joint_upper=np.asarray(content["joint_upper"], dtype=np.float64),
        gripper_lower=float(content["gripper_lower"]),
        gripper_upper=float(content["gripper_upper"]),
        gripper_levels=np.asarray(content["gripper_levels"], dtype=np.float64),
        execute=int(content["execute"]),
        period=float(content["period"]),
        relative_joints=bool(content["relative_joints"]),
        normalisation=Normalisation(
            *(_floats(statistics[key]) for key in ("state_mean", "state_std", "action_mean", "action_std"))
        ),
    )
    vocabulary, pixels = content["vocabulary"], content["pixels"]
    if (vocabulary is None) != (pixels is None):
        raise ValueError("vocabulary and pixels go together")
    return CheckpointCard(
        model_id=str(content["model_id"]),
        weights_sha256=str(content["weights_sha256"]),
        embodiment=embodiment,
        instructions=tuple(content["instructions"]),
        denoising_steps=int(content["denoising_steps"]),
        vocabulary=None if vocabulary is None else tuple(vocabulary),
        pixels=None if pixels is None else PixelStatistics(*(_floats(pixels[key]) for key in ("mean", "std"))),
        training=content.get("training", {}),
    )


def _floats(values: object) -> Float32Array:
    return np.asarray(values, dtype=np.float32)
