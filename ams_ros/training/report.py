"""The report of a training run: a page and its curves."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ams_ros.policy.checkpoint import WEIGHTS
from ams_ros.policy.checkpoint_card import CheckpointCard
from ams_ros.training.trainer import Trainer
from ams_ros.training.training_state import TrainingRecord


def write_report(trainer: Trainer, card: CheckpointCard, checkpoint: Path, page: Path, command: str) -> Path:
    """Write the page, and its curves beside it; returns the page. command: what was typed for this run."""
    folder, name = page.parent, page.stem
    folder.mkdir(parents=True, exist_ok=True)
    draw_curves(trainer.history, folder / f"{name}.png")
    page.write_text(_page(trainer, card, checkpoint, name, command), encoding="utf-8")
    return page


def draw_curves(history: list[TrainingRecord], path: Path) -> None:
    """Draw flow loss, held-out flow loss, auxiliary loss and learning rate over iterations."""
    iterations = [record.iteration for record in history]
    measured = [record for record in history if record.held_out is not None]
    figure = Figure(figsize=(12, 3.6), layout="constrained", dpi=90)
    flow, auxiliary, rate = figure.subplots(1, 3)
    flow.plot(iterations, [record.flow for record in history], label="training", linewidth=0.8)
    flow.plot(
        [record.iteration for record in measured], [record.held_out for record in measured], label="held out, averaged"
    )
    flow.set(yscale="log", ylabel="flow matching loss")
    flow.legend()
    auxiliary.plot(iterations, [record.auxiliary for record in history], linewidth=0.8)
    auxiliary.set(yscale="log", ylabel="auxiliary loss")
    rate.plot(iterations, [record.learning_rate for record in history])
    rate.set(ylabel="learning rate")
    for axes in (flow, auxiliary, rate):
        axes.set(xlabel="iteration")
        axes.grid(alpha=0.3)
    figure.savefig(path)


def _page(trainer: Trainer, card: CheckpointCard, checkpoint: Path, name: str, command: str) -> str:
    size = (checkpoint / WEIGHTS).stat().st_size
    last = trainer.history[-1]
    parameters = sum(value.numel() for value in trainer.averaged_model().parameters())
    held_out = "not measured" if last.held_out is None else f"{last.held_out:.4f}"
    rows: list[tuple[str, Any]] = [
        ("model", card.model_id),
        ("parameters", f"{parameters:,}"),
        ("weights (fp16)", f"{size / 2**20:.2f} MiB, SHA-256 `{card.weights_sha256}`"),
        ("source commit", f"`{card.training['commit']}`"),
        ("seed", trainer.seed),
        (
            "first weights",
            "random" if trainer.begun_from is None else f"those of the checkpoint `{trainer.begun_from}`",
        ),
        ("iterations", trainer.iteration),
        ("time", f"{trainer.seconds / 60:.1f} min, {trainer.iteration / trainer.seconds:.2f} iterations/s"),
        ("machine", f"{os.cpu_count()} cores, {platform.machine()}"),
        ("flow loss, training", f"{last.flow:.4f}"),
        ("flow loss, held out, averaged weights", held_out),
        ("auxiliary loss", f"{last.auxiliary:.4f}"),
    ]
    return "\n".join(
        [
            f"# Training of the {name} checkpoint",
            "",
            f"Written by `{command}`; the curves are of this very run.",
            "",
            *_table("what", "value", rows),
            "",
            f"![Loss curves]({name}.png)",
            "",
            *_demonstrations(trainer),
            "## Recipe",
            "",
            *_table("key", "value", list(card.training["recipe"].items())),
            "",
        ]
    )


def _demonstrations(trainer: Trainer) -> list[str]:
    lines: list[str] = []
    for meta in trainer.demonstrations.metas:
        title = "Corrections, begun where the half-trained policy went wrong" if "learner" in meta else "Demonstrations"
        lines += [f"## {title}", "", *_table("key", "value", list(meta.items())), ""]
    return lines


def _table(left: str, right: str, rows: list[tuple[str, Any]]) -> list[str]:
    return [f"| {left} | {right} |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows)]
