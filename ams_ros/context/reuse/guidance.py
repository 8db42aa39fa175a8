"""Where a denoising starts that is guided by a stored inference (spec C2; paper, sections 3.2.1 and 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.context.records import Array, VectorKind
from ams_ros.context.store import FetchedContext
from ams_ros.errors import InferenceError
from ams_ros.types import Float32Array, Float64Array, Guidance, GuidanceVariant

KINDS = (VectorKind.LATENTS, VectorKind.TIMES)
"""The vectors of a stored context that a start is made of."""

_SAME_TIME = 1e-9
"""Two flow times nearer than this are one: times are sums of steps and carry their rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What denoising starts with.

    latent: (horizon, action_dim) float32. time: its flow time, 0 < t <= 1. steps: from there to 0.
    """

    latent: Float32Array
    time: float
    steps: int


def start_from(guidance: Guidance, stored: FetchedContext, noise: Float32Array, denoising_steps: int) -> Start:
    """The start that `guidance` asks for, out of a stored context.

    noise: fresh standard normal latent, of which RENOISED takes its share. denoising_steps: those from time 1 to 0.

    Raises InferenceError naming the context when it cannot serve: its latents are gone, of another shape or damaged,
    it began later than the start time (LATENT), or not with noise (NOISE).
    """
    latents, times = _trajectory(stored, noise.shape)
    name, time = stored.record.context_id, guidance.start_time
    if guidance.variant is GuidanceVariant.NOISE:
        time = 1.0
        if times[0] < 1.0 - _SAME_TIME:
            raise InferenceError(f"context {name} began at time {times[0]:g}: it has no noise of its own to start from")
        latent = latents[0]
    elif guidance.variant is GuidanceVariant.RENOISED:
        latent = (time * noise + (1.0 - time) * latents[-1]).astype(np.float32)
    else:
        if times[0] < time - _SAME_TIME:
            raise InferenceError(
                f"context {name} began at time {times[0]:g} and has no latent at {time:g}; "
                f"start at {times[0]:g} or earlier, or use variant {GuidanceVariant.RENOISED.value}"
            )
        latent = latent_at(latents, times, time)
    return Start(latent, time, guidance.steps or max(1, round(denoising_steps * time)))


def latent_at(latents: Float32Array, times: Float64Array, time: float) -> Float32Array:
    """The latent of an Euler trajectory at one flow time: exact, because between two steps it is a straight line.

    latents: (steps + 1, horizon, action_dim); times: (steps + 1,), falling. A time outside of them gives the nearest
    end.
    """
    nearest = int(np.abs(times - time).argmin())
    if abs(times[nearest] - time) < _SAME_TIME:
        stored: Float32Array = latents[nearest]
        return stored
    after = int(np.searchsorted(-times, -time).clip(1, len(times) - 1))
    share = np.clip((times[after - 1] - time) / (times[after - 1] - times[after]), 0.0, 1.0)
    between: Float32Array = (1.0 - share) * latents[after - 1] + share * latents[after]
    return between.astype(np.float32)


def _trajectory(stored: FetchedContext, shape: tuple[int, ...]) -> tuple[Float32Array, Float64Array]:
    latents, times = (stored.vector(kind) for kind in KINDS)
    name = stored.record.context_id
    if latents is None or times is None:
        raise InferenceError(f"context {name} has no latents in the pool any more")
    if not _usable(latents.array, times.array, shape):
        raise InferenceError(
            f"context {name} cannot be started from: latents {latents.array.dtype} {latents.array.shape}, times "
            f"{times.array.dtype} {times.array.shape}; finite float32 (steps + 1, {shape[0]}, {shape[1]}) and as many "
            "falling float64 are needed"
        )
    return latents.array, times.array


def _usable(latents: Array, times: Array, shape: tuple[int, ...]) -> bool:
    """Whether these are a trajectory; they come from another process or from a file."""
    return (
        latents.dtype == np.float32
        and times.dtype == np.float64
        and times.ndim == 1
        and len(times) >= 2
        and latents.shape == (len(times), *shape)
        and bool(np.isfinite(latents).all() and np.isfinite(times).all())
        and bool((np.diff(times) < 0.0).all() and times[0] <= 1.0 + _SAME_TIME and times[-1] >= -_SAME_TIME)
    )
