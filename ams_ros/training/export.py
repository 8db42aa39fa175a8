"""From a training run to a checkpoint folder."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ams_ros.policy.checkpoint import write_checkpoint
from ams_ros.policy.checkpoint_card import CheckpointCard
from ams_ros.policy.embodiment import Embodiment
from ams_ros.robot.profile import RobotProfile
from ams_ros.training.dataset import CAMERAS
from ams_ros.training.trainer import Trainer


def export_checkpoint(trainer: Trainer, profile: RobotProfile, folder: Path, commit: str) -> CheckpointCard:
    """Write the averaged weights of a run as a checkpoint that `load_policy` loads; returns its card.

    commit: of the sources that trained it, asked for when training began.
    """
    recipe, demonstrations = trainer.recipe, trainer.demonstrations
    task = str(demonstrations.meta.get("task", "task"))
    card = CheckpointCard(
        model_id=f"pi0-small-{task}-{profile.name}-seed{trainer.seed}-{trainer.iteration}",
        weights_sha256="",
        embodiment=Embodiment(
            cameras=CAMERAS,
            joint_names=profile.joint_names,
            joint_lower=profile.lower,
            joint_upper=profile.upper,
            gripper_lower=profile.gripper.lower,
            gripper_upper=profile.gripper.upper,
            gripper_levels=np.clip(demonstrations.gripper_levels, profile.gripper.lower, profile.gripper.upper),
            execute=recipe.execute,
            period=recipe.period,
            relative_joints=True,
            normalisation=demonstrations.normalisation,
        ),
        instructions=demonstrations.instructions,
        denoising_steps=recipe.denoising_steps,
        vocabulary=trainer.vocabulary.words,
        pixels=demonstrations.pixels,
        training={
            "seed": trainer.seed,
            **({} if trainer.begun_from is None else {"begun_from": trainer.begun_from}),
            "commit": commit,
            "iterations": trainer.iteration,
            "seconds": round(trainer.seconds, 1),
            "flow_loss": trainer.history[-1].flow,
            "held_out_flow_loss": trainer.history[-1].held_out,
            "recipe": asdict(recipe),
            "demonstrations": [dict(meta) for meta in demonstrations.metas],
        },
    )
    return write_checkpoint(folder, trainer.averaged_model(), card)


def source_commit() -> str:
    """The git commit of this source tree, "-modified" where what makes a policy differs from it; else "unknown"."""
    package = Path(__file__).resolve().parent.parent
    rooms = [str(package / room) for room in ("policy", "robot", "simulation", "training")]
    try:
        commit = _git(package, "rev-parse", "HEAD").strip()
        return commit + ("-modified" if _git(package, "status", "--porcelain", "--", *rooms).strip() else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout
