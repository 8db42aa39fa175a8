"""Training a small pi0 from scratch, resumable and reproducible."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ams_ros.errors import ConfigurationError
from ams_ros.policy.checkpoint import read_model
from ams_ros.policy.checkpoint_card import read_card
from ams_ros.policy.pi0_model import PI0, Pi0Model, sizes_of
from ams_ros.policy.vocabulary import WordVocabulary
from ams_ros.training.architecture import small_config
from ams_ros.training.dataset import CAMERAS, Demonstrations
from ams_ros.training.flow_matching import Draws, FlowMatching
from ams_ros.training.recipe import Recipe
from ams_ros.training.training_state import TrainingRecord, load_state, save_state

HELD_OUT_FRAMES = 512
STATE = "state.safetensors"
_HELD_OUT_STREAM = 2**31


class Trainer:
    """One training run in one folder. Every step draws from (seed, iteration), so a resumed run repeats nothing."""

    def __init__(
        self, demonstrations: Demonstrations, recipe: Recipe, seed: int, folder: Path, begin: Path | None = None
    ) -> None:
        """Build the model, or take up the run that `folder` holds.

        begin: checkpoint folder whose weights are the first ones, instead of random ones; its words keep their ids.
        Raises ConfigurationError when the run in `folder` had another recipe, seed or beginning or when `begin` is of
        another shape, CheckpointError when one of them is damaged.
        """
        self.demonstrations, self.recipe, self.seed, self.folder = demonstrations, recipe, seed, folder
        folder.mkdir(parents=True, exist_ok=True)
        self._begin = begin
        before = None if begin is None else read_card(begin)
        self.begun_from = None if before is None else before.weights_sha256
        known = () if before is None else before.vocabulary or ()
        self.vocabulary = WordVocabulary.of([*known, *demonstrations.instructions])
        self._learner = self._build()
        self._average = {name: value.detach().clone() for name, value in self._learner.model.state_dict().items()}
        self._optimiser = torch.optim.AdamW(
            self._learner.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        training, self._held_out = demonstrations.split(recipe.held_out)
        idle, opening = training[demonstrations.idle[training]], training[demonstrations.opening[training]]
        more = np.repeat(idle, recipe.idle_weight - 1), np.repeat(opening, recipe.opening_weight - 1)
        self._pool = np.concatenate([training, *more])
        if len(self._pool) == 0:
            raise ConfigurationError("demonstrations", str(demonstrations.folder), "at least two episodes")
        self.iteration = 0
        self.seconds = 0.0
        self.history: list[TrainingRecord] = []
        if (folder / STATE).exists():
            self._resume()

    def run(
        self,
        until: int | None = None,
        on_record: Callable[[TrainingRecord], None] = lambda record: None,
        on_export: Callable[[int], None] = lambda iteration: None,
        time_limit: float = math.inf,
    ) -> None:
        """Train up to iteration `until` (default: all), or until the whole run took `time_limit` seconds.

        on_record is called every `report_every` iterations, on_export every `export_every`.
        """
        recipe, until = self.recipe, min(until or self.recipe.all_iterations, self.recipe.all_iterations)
        sums, counted, before = np.zeros(2), 0, self.seconds
        started = time.monotonic()
        while self.iteration < until and self.seconds < time_limit:
            sums += self._step()
            counted += 1
            self.iteration += 1
            self.seconds = before + time.monotonic() - started
            last = self.iteration == until or self.seconds >= time_limit
            if self.iteration % recipe.report_every == 0 or last:
                self._record(sums / counted, on_record, last)
                sums, counted = np.zeros(2), 0
            if self.iteration % recipe.save_every == 0 or last:
                self.save()
            if self.iteration % recipe.export_every == 0:
                on_export(self.iteration)

    def save(self) -> None:
        """Write the run's state into its folder."""
        facts = {
            "iteration": self.iteration,
            "seed": self.seed,
            "begun_from": self.begun_from,
            "recipe": asdict(self.recipe),
            "seconds": self.seconds,
            "history": [asdict(record) for record in self.history],
        }
        save_state(self.folder / STATE, self._learner, self._average, self._optimiser, facts)

    def averaged_model(self) -> Pi0Model:
        """A model of its own with the averaged weights: what is shipped."""
        model = PI0(small_config(self.recipe, self.demonstrations.normalisation.size))
        model.load_state_dict(self._average)
        return model.eval()

    def held_out_loss(self) -> float | None:
        """Flow loss of the averaged weights on held-out frames, with noise and times that never change."""
        if len(self._held_out) == 0:
            return None
        rng = np.random.default_rng([self.seed, _HELD_OUT_STREAM])
        frames = rng.choice(self._held_out, min(HELD_OUT_FRAMES, len(self._held_out)), replace=False)
        learner = FlowMatching(self.averaged_model(), self._learner.prompts, self.demonstrations.pixels)
        with torch.inference_mode():
            losses = [
                (len(part), float(learner(self.demonstrations.batch(part), self._draws(rng, len(part), 1, 0.0))[0]))
                for part in np.array_split(frames, math.ceil(len(frames) / 128))
            ]
        return sum(count * loss for count, loss in losses) / len(frames)

    def _build(self) -> FlowMatching:
        config = small_config(self.recipe, self.demonstrations.normalisation.size, attention="eager")
        room = self.recipe.shape.vocabulary - 2
        if len(self.vocabulary.words) > room:
            raise ConfigurationError(
                "instructions", self.demonstrations.instructions, f"{room} different words at most"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = PI0(config)
            if self._begin is not None:
                self._load(model, self._begin)
            image_ids = [sizes_of(model).image_token_id] * (sizes_of(model).image_tokens * len(CAMERAS))
            prompts = [
                torch.tensor([[*image_ids, *self.vocabulary.encode(instruction)]])
                for instruction in self.demonstrations.instructions
            ]
            return FlowMatching(model, prompts, self.demonstrations.pixels)

    def _load(self, model: Pi0Model, begin: Path) -> None:
        try:
            model.load_state_dict(read_model(begin, read_card(begin)).state_dict())
        except RuntimeError as error:
            raise ConfigurationError("begin", str(begin), f"a checkpoint of the recipe's shape ({error})") from error

    def _step(self) -> tuple[float, float]:
        recipe = self.recipe
        rng = np.random.default_rng([self.seed, self.iteration])
        batch = self.demonstrations.batch(rng.choice(self._pool, recipe.batch))
        draws = self._draws(rng, recipe.batch, recipe.noise_draws, recipe.brightness)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            flow, auxiliary = self._learner(batch, draws)
        loss = flow.float() + recipe.auxiliary_weight * auxiliary.float()
        self._optimiser.param_groups[0]["lr"] = self._learning_rate()
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._learner.parameters(), recipe.gradient_clip)
        self._optimiser.step()
        self._update_average()
        return float(flow.detach()), float(auxiliary.detach())

    def _draws(self, rng: np.random.Generator, frames: int, repeats: int, brightness: float) -> Draws:
        config = self._learner.model.config
        count = frames * repeats
        noise = rng.standard_normal((count, self.recipe.horizon, config.max_action_dim), dtype=np.float32)
        # Beta(1.5, 1) as pi0 samples its times: the distribution function is t ** 1.5.
        time_drawn = rng.random(count) ** (1.0 / config.time_sampling_beta_alpha)
        times = (time_drawn * config.time_sampling_scale + config.time_sampling_offset).astype(np.float32)
        factors = rng.uniform(1.0 - brightness, 1.0 + brightness, (frames, len(CAMERAS))).astype(np.float32)
        return Draws(torch.from_numpy(noise), torch.from_numpy(times), torch.from_numpy(factors))

    def _learning_rate(self) -> float:
        recipe, peak, step, steps = self.recipe, self.recipe.learning_rate, self.iteration, self.recipe.iterations
        if step >= recipe.iterations:
            peak *= recipe.correction_rate
            step, steps = (step - recipe.iterations) % recipe.correction_iterations, recipe.correction_iterations
        warmed = min(1.0, (step + 1) / max(1, recipe.warm_up))
        return peak * warmed * 0.5 * (1.0 + math.cos(math.pi * step / steps))

    def _update_average(self) -> None:
        decay = min(self.recipe.average_decay, (1 + self.iteration) / (10 + self.iteration))
        with torch.no_grad():
            for name, value in self._learner.model.state_dict().items():
                self._average[name].lerp_(value, 1.0 - decay)

    def _record(self, losses: np.ndarray[Any, Any], on_record: Callable[[TrainingRecord], None], last: bool) -> None:
        due = last or self.iteration % self.recipe.evaluate_every == 0
        record = TrainingRecord(
            iteration=self.iteration,
            flow=float(losses[0]),
            auxiliary=float(losses[1]),
            learning_rate=self._learning_rate(),
            seconds=self.seconds,
            held_out=self.held_out_loss() if due else None,
        )
        self.history.append(record)
        on_record(record)

    def _resume(self) -> None:
        facts = load_state(self.folder / STATE, self._learner, self._average, self._optimiser)
        for key, mine in (("recipe", asdict(self.recipe)), ("seed", self.seed), ("begun_from", self.begun_from)):
            if facts.get(key) != mine:
                raise ConfigurationError(
                    f"training.{key}", mine, f"{facts.get(key)}, with which the run in {self.folder} began"
                )
        self.iteration, self.seconds = facts["iteration"], facts["seconds"]
        self.history = [TrainingRecord(**record) for record in facts["history"]]
