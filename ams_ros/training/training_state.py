"""A training run on disk, so that it goes on exactly where it was interrupted."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ams_ros.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """One line of a run's history; held_out is None where it was not measured."""

    iteration: int
    flow: float
    auxiliary: float
    learning_rate: float
    seconds: float
    held_out: float | None


def save_state(
    path: Path,
    learner: nn.Module,
    average: dict[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
    facts: dict[str, Any],
) -> None:
    """Write weights, their average, the optimiser and `facts` (JSON values) into one file, all or nothing."""
    tensors = {f"learner/{name}": value for name, value in learner.state_dict().items()}
    tensors |= {f"average/{name}": value for name, value in average.items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{name}": value for name, value in moments.items()}
    unfinished = path.with_suffix(".unfinished")
    save_file({name: value.contiguous() for name, value in tensors.items()}, unfinished, {"facts": json.dumps(facts)})
    os.replace(unfinished, path)


def load_state(
    path: Path, learner: nn.Module, average: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer
) -> dict[str, Any]:
    """Put a saved run back into learner, average and optimiser; returns its facts.

    Raises CheckpointError when the file is damaged or belongs to another model.
    """
    learned: dict[str, torch.Tensor] = {}
    moments: dict[int, dict[str, torch.Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            facts: dict[str, Any] = json.loads(file.metadata()["facts"])
            for key in file.keys():  # noqa: SIM118 - the file is no mapping
                part, _, name = key.partition("/")
                if part == "optimiser":
                    index, _, moment = name.partition("/")
                    moments.setdefault(int(index), {})[moment] = file.get_tensor(key)
                elif part == "average":
                    average[name].copy_(file.get_tensor(key))
                else:
                    learned[name] = file.get_tensor(key)
        learner.load_state_dict(learned)
        optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"training state {path} cannot be resumed: {error}; delete it to start anew") from error
    return facts
