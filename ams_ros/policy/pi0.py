"""pi0 as transformers implements it, unmodified, behind the Policy protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.cache_utils import DynamicCache

from ams_ros.errors import CheckpointError, ConfigurationError, InferenceError
from ams_ros.policy.checkpoint import find_checkpoint, hash_of, read_model
from ams_ros.policy.checkpoint_card import CheckpointCard, read_card
from ams_ros.policy.config_hash import config_hash
from ams_ros.policy.embodiment import Embodiment
from ams_ros.policy.host_arrays import from_host, to_host
from ams_ros.policy.model_inputs import ModelInputs, WordInputs
from ams_ros.policy.pi0_model import LOADING_ERRORS, PI0, Pi0Model, silence_loading, sizes_of
from ams_ros.policy.processor_inputs import ProcessorInputs, load_processor
from ams_ros.policy.protocol import Denoising, PolicyDescription, PrefixCache, VisionFeatures
from ams_ros.policy.vocabulary import WordVocabulary
from ams_ros.types import ActionSlice, Float32Array, Observation


class Pi0Policy:
    """Calls the parts of a `PI0ForConditionalGeneration` one by one; together they give what its sample_actions gives.

    One instance serves one thread at a time. The prompt is never padded and its attention mask is all ones, so
    positions count from 0 in every call; without a mask the model would count prefix positions from 1.
    """

    def __init__(self, model: Pi0Model, inputs: ModelInputs, card: CheckpointCard, threads: int = 1) -> None:
        """Take a loaded model; `threads` is what torch may use in this process.

        Raises ConfigurationError when the model's sizes do not fit the card's embodiment.
        """
        body, sizes = card.embodiment, sizes_of(model)
        room = min(sizes.state_values, sizes.action_values) - 1
        if body.dof > room:
            raise ConfigurationError("joint_names", body.joint_names, f"at most {room} joints for this model")
        if body.execute > sizes.horizon:
            raise ConfigurationError("execute", body.execute, f"1..{sizes.horizon}")
        if threads < 1:
            raise ConfigurationError("threads", threads, "an integer of at least 1")
        torch.set_num_threads(threads)
        self._model = model.eval().requires_grad_(False)
        self._inputs, self._embodiment, self._sizes = inputs, body, sizes
        self._description = PolicyDescription(
            model_id=card.model_id,
            weights_hash=card.weights_sha256,
            config_hash=config_hash(model, inputs.settings, body),
            dtype=str(model.dtype).removeprefix("torch."),
            cameras=body.cameras,
            joint_names=body.joint_names,
            horizon=sizes.horizon,
            execute=body.execute,
            period=body.period,
            latent_shape=(sizes.horizon, sizes.action_values),
            denoising_steps=card.denoising_steps,
            instructions=card.instructions,
        )

    @property
    def description(self) -> PolicyDescription:
        """What it expects and emits."""
        return self._description

    @property
    def embodiment(self) -> Embodiment:
        """The body its numbers belong to."""
        return self._embodiment

    @property
    def model(self) -> Pi0Model:
        """The model itself, as transformers built it."""
        return self._model

    @torch.inference_mode()
    def encode_cameras(self, observation: Observation, cameras: tuple[str, ...] = ()) -> VisionFeatures:
        """Encode the named cameras, or all, in one batch: per camera (tokens, width).

        Raises InferenceError when one is missing.
        """
        chosen = cameras or self._embodiment.cameras
        pixels = self._inputs.pixels(self._embodiment.pictures(observation, chosen))
        encoded = self._model.model.vlm.get_image_features(
            pixels.to(self._model.device, self._model.dtype)
        ).pooler_output
        # Copies, so that keeping one camera's tokens does not keep the memory of the whole batch.
        return VisionFeatures({camera: tokens.clone() for camera, tokens in zip(chosen, encoded, strict=True)})

    def features_to_host(self, features: VisionFeatures) -> dict[str, NDArray[Any]]:
        """Features as C-contiguous arrays by camera, (tokens, width); bfloat16 as uint16. Copies of their own."""
        return {camera: to_host(tokens) for camera, tokens in features.tokens.items()}

    def features_from_host(self, arrays: Mapping[str, NDArray[Any]]) -> VisionFeatures:
        """The reverse, on the policy's device. Raises InferenceError for a shape or dtype that is not its own."""
        wanted = (self._sizes.image_tokens, self._sizes.width)
        for camera, array in arrays.items():
            if array.shape != wanted:
                raise InferenceError(f"vision features of camera {camera}: shape {array.shape}, expected {wanted}")
        weight = self._model.action_out_proj.weight
        return VisionFeatures(
            {
                camera: from_host(f"vision features of camera {camera}", array, weight)
                for camera, array in arrays.items()
            }
        )

    def prefix_to_host(self, prefix: PrefixCache) -> NDArray[Any]:
        """A prefix as one C-contiguous array (2, layers, kv_heads, prefix_length, head_dim): keys, then values."""
        return to_host(torch.stack([torch.cat(prefix.keys), torch.cat(prefix.values)]))

    def prefix_from_host(self, array: NDArray[Any]) -> PrefixCache:
        """The reverse, on the policy's device. Raises InferenceError for a shape or dtype that is not its own."""
        sizes, images = self._sizes, self._sizes.image_tokens * len(self._embodiment.cameras)
        shape = (2, sizes.layers, sizes.kv_heads, -1, sizes.head_dim)
        if array.ndim != 5 or (*array.shape[:3], -1, array.shape[4]) != shape or array.shape[3] <= images:
            raise InferenceError(
                f"prefix: shape {array.shape}, expected (2, {sizes.layers}, {sizes.kv_heads}, more than {images}, "
                f"{sizes.head_dim})"
            )
        keys, values = from_host("prefix", array, self._model.action_out_proj.weight)
        return PrefixCache(keys=tuple(keys[:, None]), values=tuple(values[:, None]))

    @torch.inference_mode()
    def build_prefix(self, observation: Observation, features: VisionFeatures) -> PrefixCache:
        """Run the language model once over the image tokens of every camera and the instruction.

        Raises ConfigurationError for an instruction outside the vocabulary, InferenceError when a camera's features
        are missing or of the wrong size.
        """
        ids = self._inputs.prompt(observation.instruction).to(self._model.device)
        ones = torch.ones_like(ids)
        embedded = self._embed(ids, features)
        cache = self._model.model.vlm(
            inputs_embeds=embedded,
            attention_mask=ones,
            position_ids=ones.cumsum(-1) - 1,
            token_type_ids=torch.zeros_like(embedded)[:, :, 0],
            use_cache=True,
        ).past_key_values
        return PrefixCache(
            keys=tuple(layer.keys for layer in cache.layers), values=tuple(layer.values for layer in cache.layers)
        )

    def draw_noise(self, seed: int) -> Float32Array:
        """Standard normal latent of `latent_shape`; the same seed gives the same noise."""
        return np.random.default_rng(seed).standard_normal(self._description.latent_shape, dtype=np.float32)

    @torch.inference_mode()
    def denoise(
        self,
        observation: Observation,
        prefix: PrefixCache,
        latent: Float32Array,
        start_time: float = 1.0,
        steps: int | None = None,
    ) -> Denoising:
        """Integrate from `start_time` to 0 by Euler steps.

        Raises ConfigurationError for a latent, time or number of steps that cannot be used.
        """
        self._check_start(latent, start_time, steps)
        steps = steps or max(1, round(self._description.denoising_steps * start_time))
        device, dtype = self._model.device, self._model.dtype
        state = torch.zeros(1, self._sizes.state_values)
        state[0, : self._embodiment.dof + 1] = torch.from_numpy(self._embodiment.state(observation))
        state = state.to(device, dtype)
        # The model appends every step's keys to the cache it is given. Appending makes new tensors and cropping
        # makes views, so the prefix itself is never written to.
        cache = DynamicCache(list(zip(prefix.keys, prefix.values, strict=True)))
        length = cache.get_seq_length()
        mask = torch.ones((1, length), dtype=torch.long, device=device)
        current = torch.from_numpy(np.ascontiguousarray(latent)).to(device, dtype)[None]
        delta = -start_time / steps
        latents, hidden = [current], []
        # What enters the projection to actions is the expert's last hidden state; the model does not return it.
        hook = self._model.action_out_proj.register_forward_pre_hook(lambda _, entering: hidden.append(entering[0]))
        try:
            for step in range(steps):
                time = torch.full((1,), start_time + step * delta, dtype=torch.float32, device=device)
                velocity = self._model(
                    state=state, noise=current, timestep=time, attention_mask=mask, past_key_values=cache
                ).logits
                cache.crop(length - cache.get_seq_length())
                current = current + delta * velocity
                latents.append(current)
        finally:
            hook.remove()
        return Denoising(
            latents=torch.cat(latents).float().cpu().numpy(),
            times=np.linspace(start_time, 0.0, steps + 1),
            output=hidden[-1][0].float().cpu().numpy(),
        )

    def decode(self, observation: Observation, latent: Float32Array, context_id: str) -> ActionSlice:
        """Turn the final latent (horizon, action_dim) into absolute joint and finger targets within the limits.

        Raises InferenceError when the latent holds a number that is not finite.
        """
        if not np.isfinite(latent).all():
            raise InferenceError("the policy produced a number that is not finite")
        joints, gripper = self._embodiment.targets(observation, latent[:, : self._embodiment.dof + 1])
        return ActionSlice(
            joints=joints,
            gripper=gripper,
            period=self._description.period,
            execute=self._description.execute,
            context_id=context_id,
        )

    def _embed(self, ids: torch.Tensor, features: VisionFeatures) -> torch.Tensor:
        """What the model's embed_prefix does, with image tokens that are already there."""
        missing = [camera for camera in self._embodiment.cameras if camera not in features.tokens]
        if missing:
            raise InferenceError(f"no vision features of camera {', '.join(missing)}")
        images = torch.cat([features.tokens[camera] for camera in self._embodiment.cameras])
        places = ids == self._sizes.image_token_id
        if int(places.sum()) != len(images):
            raise InferenceError(f"{len(images)} image tokens encoded, the prompt has room for {int(places.sum())}")
        text: torch.Tensor = self._model.get_input_embeddings()(ids.masked_fill(places, 0))
        return text.masked_scatter(places[..., None], images.to(text.dtype))

    def _check_start(self, latent: Float32Array, start_time: float, steps: int | None) -> None:
        if latent.shape != self._description.latent_shape:
            raise ConfigurationError("latent", latent.shape, f"an array of shape {self._description.latent_shape}")
        if not 0.0 < start_time <= 1.0:
            raise ConfigurationError("start_time", start_time, "above 0 and at most 1")
        if steps is not None and steps < 1:
            raise ConfigurationError("steps", steps, "an integer of at least 1")


def load_policy(path_or_name: str | Path, threads: int = 1) -> Pi0Policy:
    """Load a checkpoint folder, or one of those shipped with this package by its name (such as "cubes").

    Raises CheckpointError when it is missing, incomplete or damaged.
    """
    folder = find_checkpoint(path_or_name)
    card = read_card(folder)
    if card.vocabulary is None or card.pixels is None:
        return load_published(
            str(folder), card.embodiment, model_id=card.model_id, instructions=card.instructions, threads=threads
        )
    model = read_model(folder, card)
    inputs = WordInputs(WordVocabulary(card.vocabulary), card.pixels, sizes_of(model), len(card.embodiment.cameras))
    return Pi0Policy(model, inputs, card, threads)


def load_published(
    source: str,
    embodiment: Embodiment,
    *,
    processor: str = "",
    model_id: str = "",
    instructions: tuple[str, ...] = (),
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    threads: int = 1,
) -> Pi0Policy:
    """Load a pi0 with its own processor from a local folder or a hub id (such as "lerobot/pi0_base").

    `embodiment` says which robot it drives. processor: where its processor lies when not beside the model. The
    instruction is free text; `instructions` only tells people what it was trained for.

    Raises CheckpointError when model or processor cannot be loaded.
    """
    silence_loading()
    try:
        model = PI0.from_pretrained(source, dtype=dtype).to(device)
    except LOADING_ERRORS as error:
        raise CheckpointError(f"checkpoint {source}: the model cannot be loaded: {error}") from error
    card = CheckpointCard(
        model_id=model_id or source,
        weights_sha256=hash_of(model),
        embodiment=embodiment,
        instructions=instructions,
        denoising_steps=sizes_of(model).denoising_steps,
        vocabulary=None,
        pixels=None,
    )
    return Pi0Policy(
        model, ProcessorInputs(load_processor(processor or source), len(embodiment.cameras)), card, threads
    )
