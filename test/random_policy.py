"""A checkpoint with random weights of the trained size: moves the arm a little around its start pose, without sense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from policy_fixtures import INSTRUCTION, save_small_checkpoint

from ams_ros.policy.checkpoint_card import read_card, write_card
from ams_ros.policy.normalisation import Normalisation
from ams_ros.robot.profile import load_profile
from ams_ros.training.recipe import Recipe

__all__ = ["INSTRUCTION", "write_random_checkpoint"]


def write_random_checkpoint(folder: Path, cameras: tuple[str, ...] = ("front", "wrist")) -> Path:
    """Write one for the WidowX into `folder` and return that."""
    profile = load_profile("widowx_250s")
    centre = np.append(profile.start, (profile.gripper.lower + profile.gripper.upper) / 2).astype(np.float32)
    spread = np.array([*[0.05] * len(profile.joints), 0.004], dtype=np.float32)
    card = read_card(save_small_checkpoint(folder, relative=False))
    body = replace(
        card.embodiment,
        cameras=cameras,
        joint_names=profile.joint_names,
        joint_lower=profile.lower,
        joint_upper=profile.upper,
        gripper_lower=profile.gripper.lower,
        gripper_upper=profile.gripper.upper,
        gripper_levels=np.array([profile.gripper.lower, profile.gripper.upper]),
        normalisation=Normalisation(centre, spread, centre, spread),
    )
    write_card(folder, replace(card, embodiment=body), horizon=Recipe().horizon)
    return folder
