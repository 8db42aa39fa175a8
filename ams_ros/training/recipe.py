"""The numbers of a training run, all in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ams_ros.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of the small pi0: 1.33 million parameters with these defaults.

    image_size, patch_size: pixels; a camera gives (image_size / patch_size) ** 2 tokens.
    vocabulary: token ids of the language model; the last one stands for an image token.
    initializer_range: deviation of the initial weights; the library's 0.02 is meant for far wider models.
    """

    width: int = 128
    heads: int = 4
    vision_layers: int = 2
    vision_mlp: int = 512
    language_layers: int = 2
    language_mlp: int = 320
    image_size: int = 64
    patch_size: int = 16
    vocabulary: int = 16
    initializer_range: float = 0.06


_MAY_BE_ZERO = frozenset(
    {"shape", "bfloat16", "brightness", "auxiliary_weight", "weight_decay", "warm_up", "correction_rounds"}
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters.

    horizon, execute, period: steps per slice, steps to run of them, seconds per step (that of the demonstrations).
    iterations: optimiser steps, over which the learning rate warms up and then falls along a cosine.
    correction_rounds: how often the expert then corrects what the policy has learned so far.
    correction_iterations, correction_rate: steps of each round, with all corrections so far added, along a cosine of
    its own that begins at this fraction of the learning rate.
    batch, noise_draws: frames per step, and (noise, time) pairs drawn for each of them from one shared prefix.
    auxiliary_weight: weight of predicting target position, presence and grasp from the last prefix token.
    idle_weight: how many times more often a frame of an idle end is drawn than another.
    opening_weight: likewise, one of the first frames of an episode in which nothing had been dealt with. There are far
    fewer of them than of ends, which look much the same from the start pose; without them a policy idles at once.
    brightness: pictures are brightened or darkened by up to this fraction.
    held_out: every so manyth episode is kept out of training and measures the flow loss.
    """

    shape: ModelShape = ModelShape()
    horizon: int = 16
    execute: int = 8
    period: float = 0.05
    denoising_steps: int = 10
    iterations: int = 6000
    correction_rounds: int = 3
    correction_iterations: int = 2500
    correction_rate: float = 0.5
    batch: int = 64
    noise_draws: int = 3
    learning_rate: float = 1e-3
    warm_up: int = 200
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    average_decay: float = 0.999
    auxiliary_weight: float = 0.3
    idle_weight: int = 3
    opening_weight: int = 6
    brightness: float = 0.05
    held_out: int = 30
    bfloat16: bool = True
    report_every: int = 25
    evaluate_every: int = 250
    save_every: int = 250
    export_every: int = 1000

    @property
    def all_iterations(self) -> int:
        """Optimiser steps of a whole run."""
        return self.until(self.correction_rounds)

    def until(self, correction_round: int) -> int:
        """Optimiser steps up to the end of a round of corrections; of round 0, the demonstrations alone."""
        return self.iterations + correction_round * self.correction_iterations

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be trained with."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _MAY_BE_ZERO:
                continue
            if not value > 0:
                raise ConfigurationError(f"recipe.{field.name}", value, "a number above 0")
        if not self.execute <= self.horizon:
            raise ConfigurationError("recipe.execute", self.execute, f"1..{self.horizon}")
        if self.held_out < 2:
            raise ConfigurationError("recipe.held_out", self.held_out, "an integer of at least 2")
        if self.shape.image_size % self.shape.patch_size or self.shape.width % self.shape.heads:
            raise ConfigurationError("recipe.shape", self.shape, "image_size a multiple of patch_size, width of heads")
