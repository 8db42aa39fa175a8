"""Checkpoint folders: config.json and model.safetensors as transformers writes them, and ams.json."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from ams_ros.errors import CheckpointError
from ams_ros.policy.checkpoint_card import CARD, CheckpointCard, write_card
from ams_ros.policy.pi0_model import LOADING_ERRORS, PI0, Pi0Model, silence_loading, sizes_of

CONFIG, WEIGHTS = "config.json", "model.safetensors"
SHIPPED = Path(__file__).resolve().parent / "checkpoints"


def find_checkpoint(path_or_name: str | Path) -> Path:
    """The folder meant: an existing folder, or a checkpoint shipped with this package.

    Raises CheckpointError naming the shipped ones.
    """
    path = Path(path_or_name).expanduser()
    if path.is_dir():
        return path
    shipped = sorted(folder.name for folder in SHIPPED.glob("*") if (folder / CARD).is_file())
    if str(path_or_name) in shipped:
        return SHIPPED / str(path_or_name)
    names = ", ".join(shipped) or "none"
    raise CheckpointError(f"checkpoint {path_or_name} does not exist: neither a folder nor a shipped one ({names})")


def write_checkpoint(folder: Path, model: Pi0Model, card: CheckpointCard) -> CheckpointCard:
    """Write weights in fp16 with config and card; returns the card with the digest of what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    silence_loading()
    copy.deepcopy(model).half().save_pretrained(folder)
    (folder / WEIGHTS).chmod(0o644)
    written = replace(card, weights_sha256=_digest(folder / WEIGHTS))
    # The card goes last: a folder that has one is complete.
    write_card(folder, written, horizon=sizes_of(model).horizon)
    return written


def read_model(folder: Path, card: CheckpointCard) -> Pi0Model:
    """Load the weights as float32 after checking them against the card's digest.

    Raises CheckpointError for files that are missing, truncated, exchanged, or that do not fit the configuration.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"checkpoint {folder} is incomplete: {name} is missing")
    digest = _digest(folder / WEIGHTS)
    if digest != card.weights_sha256:
        raise CheckpointError(
            f"checkpoint {folder} is damaged: {WEIGHTS} has the SHA-256 {digest}, {CARD} says {card.weights_sha256}"
        )
    silence_loading()
    try:
        model, loading = PI0.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, ignore_mismatched_sizes=True, output_loading_info=True
        )
    except LOADING_ERRORS as error:
        raise CheckpointError(f"checkpoint {folder} is damaged: {error}") from error
    wrong = {kind: sorted(map(str, loading[kind])) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    if any(wrong.values()):
        named = "; ".join(f"{kind.replace('_', ' ')}: {', '.join(names[:4])}" for kind, names in wrong.items() if names)
        raise CheckpointError(f"checkpoint {folder}: {WEIGHTS} does not fit {CONFIG}: {named}")
    _check_sizes(folder, model, card)
    return model


def hash_of(model: Pi0Model) -> str:
    """SHA-256 over names, types and bytes of all weights, for models that come without a recorded digest."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).cpu().numpy().data)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _check_sizes(folder: Path, model: Pi0Model, card: CheckpointCard) -> None:
    sizes = sizes_of(model)
    if card.vocabulary is not None and len(card.vocabulary) >= sizes.words:
        raise CheckpointError(
            f"checkpoint {folder}: {CARD} has {len(card.vocabulary)} words, the model has room for {sizes.words - 1}"
        )
    values, execute = card.embodiment.dof + 1, card.embodiment.execute
    if min(sizes.state_values, sizes.action_values) < values or sizes.horizon < execute:
        raise CheckpointError(
            f"checkpoint {folder}: {CARD} has {values} joint values and executes {execute} steps, the model has "
            f"{sizes.action_values} and {sizes.horizon}"
        )
