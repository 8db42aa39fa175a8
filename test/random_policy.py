"""A checkpoint with random weights of the trained size: moves the arm a little around its start pose, without sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ams_ros.policy.checkpoint import write_checkpoint
from ams_ros.policy.checkpoint_card import CheckpointCard
from ams_ros.policy.embodiment import Embodiment
from ams_ros.policy.normalisation import Normalisation
from ams_ros.policy.pi0_model import PI0
from ams_ros.policy.vocabulary import WordVocabulary
from ams_ros.robot.profile import load_profile
from ams_ros.training.architecture import small_config
from ams_ros.training.recipe import Recipe

INSTRUCTION = "put the cubes in the bowl"


def write_random_checkpoint(folder: Path, cameras: tuple[str, ...] = ("front", "wrist")) -> Path:
    """Write it into `folder` and return that."""
    profile, recipe = load_profile("widowx_250s"), Recipe()
    centre = np.append(profile.start, (profile.gripper.lower + profile.gripper.upper) / 2).astype(np.float32)
    spread = np.array([*[0.05] * len(profile.joints), 0.004], dtype=np.float32)
    torch.manual_seed(0)
    card = CheckpointCard(
        model_id="random",
        weights_sha256="",
        embodiment=Embodiment(
            cameras=cameras,
            joint_names=profile.joint_names,
            joint_lower=profile.lower,
            joint_upper=profile.upper,
            gripper_lower=profile.gripper.lower,
            gripper_upper=profile.gripper.upper,
            gripper_levels=np.array([profile.gripper.lower, profile.gripper.upper]),
            execute=recipe.execute,
            period=recipe.period,
            relative_joints=False,
            normalisation=Normalisation(centre, spread, centre, spread),
        ),
        instructions=(INSTRUCTION,),
        denoising_steps=recipe.denoising_steps,
        vocabulary=WordVocabulary.of([INSTRUCTION]).words,
    )
    write_checkpoint(folder, PI0(small_config(recipe, len(centre))), card)
    return folder
