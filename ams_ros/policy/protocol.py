"""What AMS needs of a policy: its stages one by one, so that each can be cached, replaced or started midway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from ams_ros.types import ActionSlice, Float32Array, Float64Array, Observation

DeviceArray = Any
"""An array on the policy's own device (a torch tensor for pi0); save for its `nbytes` opaque to all but the policy."""


@dataclass(frozen=True, slots=True)
class PolicyDescription:
    """What a policy expects and emits.

    model_id: name and version of the weights, for people.
    weights_hash: hex digest of the weights, for cache keys.
    config_hash: hex digest of everything else that shapes its numbers: model config, preprocessing, normalisation.
    dtype: of the computation, such as float32 or bfloat16.
    cameras: names of the images it needs, in the order it reads them.
    joint_names: arm joints it commands, in order.
    horizon, execute, period: steps per slice, steps to run of them, seconds per step.
    latent_shape: (horizon, action_dim), float32.
    denoising_steps: default number of steps from time 1 to time 0.
    instructions: the tasks it was trained for; empty when it takes free text.
    """

    model_id: str
    weights_hash: str
    config_hash: str
    dtype: str
    cameras: tuple[str, ...]
    joint_names: tuple[str, ...]
    horizon: int
    execute: int
    period: float
    latent_shape: tuple[int, int]
    denoising_steps: int
    instructions: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class VisionFeatures:
    """Encoded cameras: by camera name, (tokens, width) on the policy's device."""

    tokens: Mapping[str, DeviceArray]


@dataclass(frozen=True, slots=True, eq=False)
class PrefixCache:
    """Keys and values of the prefix (images and instruction), reusable for any number of denoising runs.

    keys, values: per layer (1, kv_heads, prefix_length, head_dim) on the policy's device. Never written to.
    """

    keys: tuple[DeviceArray, ...]
    values: tuple[DeviceArray, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Denoising:
    """One run of the denoiser.

    latents: (steps + 1, horizon, action_dim) float32; row 0 is the start, the last row is the action.
    times: (steps + 1,) float64, flow time of each latent, falling to 0.
    output: (horizon, width) float32, last hidden state of the action expert in the last step.
    """

    latents: Float32Array
    times: Float64Array
    output: Float32Array


class Policy(Protocol):
    """A diffusion or flow policy. Flow time runs from 1 (noise) to 0 (action)."""

    @property
    def description(self) -> PolicyDescription:
        """What it expects and emits."""
        ...

    def encode_cameras(self, observation: Observation, cameras: tuple[str, ...] = ()) -> VisionFeatures:
        """Encode the named cameras, or every one of the description. Raises InferenceError when one is missing."""
        ...

    def features_to_host(self, features: VisionFeatures) -> dict[str, NDArray[Any]]:
        """Features as C-contiguous arrays by camera, (tokens, width); bfloat16 as uint16. Copies of their own."""
        ...

    def features_from_host(self, arrays: Mapping[str, NDArray[Any]]) -> VisionFeatures:
        """The reverse, on the policy's device. Raises InferenceError for a shape or dtype that is not its own."""
        ...

    def prefix_to_host(self, prefix: PrefixCache) -> NDArray[Any]:
        """A prefix as one C-contiguous array (2, layers, kv_heads, prefix_length, head_dim): keys, then values."""
        ...

    def prefix_from_host(self, array: NDArray[Any]) -> PrefixCache:
        """The reverse, on the policy's device. Raises InferenceError for a shape or dtype that is not its own."""
        ...

    def build_prefix(self, observation: Observation, features: VisionFeatures) -> PrefixCache:
        """Run the language model once over image tokens and instruction.

        Raises ConfigurationError for an instruction outside the policy's vocabulary.
        """
        ...

    def draw_noise(self, seed: int) -> Float32Array:
        """Standard normal latent of `latent_shape`; the same seed gives the same noise."""
        ...

    def denoise(
        self,
        observation: Observation,
        prefix: PrefixCache,
        latent: Float32Array,
        start_time: float = 1.0,
        steps: int | None = None,
    ) -> Denoising:
        """Integrate from `start_time` (0 < t <= 1) to 0 in `steps` steps (default: denoising_steps * start_time)."""
        ...

    def decode(self, observation: Observation, latent: Float32Array, context_id: str) -> ActionSlice:
        """Turn the final latent into absolute joint targets (rad) and finger targets (m), within the joint limits."""
        ...
