"""The training objective: pi0's own flow matching loss, and an auxiliary one attached from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ams_ros.policy.model_inputs import normalise_pixels
from ams_ros.policy.normalisation import PixelStatistics
from ams_ros.policy.pi0_model import Pi0Model
from ams_ros.training.dataset import Batch


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """What is random in one step: noise (B * draws, horizon, values), time (B * draws,), brightness (B, cameras)."""

    noise: torch.Tensor
    time: torch.Tensor
    brightness: torch.Tensor


class FlowMatching(nn.Module):
    """A pi0 under training, with a head that reads target position, presence and grasp off the last prefix token."""

    def __init__(self, model: Pi0Model, prompts: Sequence[torch.Tensor], pixels: PixelStatistics) -> None:
        """`prompts`: (1, prefix_length) token ids of each instruction."""
        super().__init__()
        self.model = model
        width = model.config.vlm_config.text_config.hidden_size
        self.auxiliary = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 5))
        self.prompts, self.pixels = tuple(prompts), pixels

    def forward(self, batch: Batch, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        """Flow matching loss and auxiliary loss, both scalars, of a batch.

        Frames of each instruction by themselves, because instructions differ in length and none is ever padded.
        """
        repeats = len(draws.time) // len(batch.instruction)
        flow, auxiliary = torch.zeros(()), torch.zeros(())
        for number in np.unique(batch.instruction):
            chosen = batch.instruction == number
            part = Batch(**{field.name: getattr(batch, field.name)[chosen] for field in fields(Batch)})
            of_draws = torch.from_numpy(np.repeat(chosen, repeats))
            losses = self._losses(
                part,
                Draws(draws.noise[of_draws], draws.time[of_draws], draws.brightness[torch.from_numpy(chosen)]),
                self.prompts[number],
            )
            share = float(chosen.mean())
            flow, auxiliary = flow + share * losses[0], auxiliary + share * losses[1]
        return flow, auxiliary

    def _losses(self, batch: Batch, draws: Draws, prompt: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = torch.from_numpy(batch.pixels).float() * draws.brightness[:, :, None, None, None]
        pixels = normalise_pixels(pixels.clamp(0.0, 255.0), self.pixels)
        repeats = len(draws.time) // len(pixels)
        ids = prompt.expand(len(pixels), -1)
        # All ones, as in inference: without a mask the model would count prefix positions from 1 instead of 0.
        mask = torch.ones_like(ids)
        present = torch.ones(pixels.shape[:2], dtype=torch.bool)
        embedded = self.model.model.embed_prefix(ids, pixels, present)
        prefix = self.model.model.vlm(
            inputs_embeds=embedded,
            attention_mask=mask,
            position_ids=mask.cumsum(-1) - 1,
            token_type_ids=torch.zeros_like(embedded)[:, :, 0],
            use_cache=True,
        )
        # One prefix serves several draws: it is two thirds of the work.
        prefix.past_key_values.batch_repeat_interleave(repeats)
        flow = self.model(
            state=torch.from_numpy(batch.state).repeat_interleave(repeats, 0),
            actions=torch.from_numpy(batch.action).repeat_interleave(repeats, 0),
            noise=draws.noise,
            timestep=draws.time,
            attention_mask=mask.repeat_interleave(repeats, 0),
            past_key_values=prefix.past_key_values,
        ).loss
        return flow, self._auxiliary_loss(prefix.last_hidden_state[:, -1], batch)

    def _auxiliary_loss(self, token: torch.Tensor, batch: Batch) -> torch.Tensor:
        guess: torch.Tensor = self.auxiliary(token).float()
        present = torch.from_numpy(batch.present).float()
        held = torch.from_numpy(batch.held).float()
        # In decimetres, so that the three losses are of one size; where nothing is left there is no position.
        error = (guess[:, :3] - torch.from_numpy(batch.target).nan_to_num() * 10.0).square().mean(-1)
        position: torch.Tensor = (error * present).sum() / present.sum().clamp(min=1.0)
        flags = functional.binary_cross_entropy_with_logits(guess[:, 3:], torch.stack([present, held], dim=-1))
        return position + flags
