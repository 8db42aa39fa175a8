"""A digest over everything besides the weights that shapes a policy's numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from ams_ros.policy.embodiment import Embodiment
from ams_ros.policy.normalisation import Normalisation
from ams_ros.policy.pi0_model import Pi0Model

_NOT_NUMBERS = frozenset({"_name_or_path", "transformers_version", "architectures", "dtype"})
"""What a model's config also holds: where it lay, who wrote it, and the dtype of its file."""


def config_hash(model: Pi0Model, inputs: Mapping[str, Any], embodiment: Embodiment) -> str:
    """SHA-256, hex, over the model's config, the settings of its pre-processing and the body with its normalisation.

    The same in every process and wherever the checkpoint lies. Versions of libraries and the device are not in it.
    """
    content = {
        "model": _without_names(model.config.to_dict()),
        "inputs": dict(inputs),
        "embodiment": _record(embodiment),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _without_names(config: Any) -> Any:
    if isinstance(config, Mapping):
        return {key: _without_names(value) for key, value in config.items() if key not in _NOT_NUMBERS}
    return config


def _record(record: Embodiment | Normalisation) -> dict[str, Any]:
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, Normalisation):
        return _record(value)
    return value.tolist() if isinstance(value, np.ndarray) else value
