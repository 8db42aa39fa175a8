"""An inference that is done, on its way to the pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ams_ros.context.index.embedding import context_embedding
from ams_ros.context.records import ContextOutcome, ContextRecord, ModelKey, NewContext, NewVector, VectorKind
from ams_ros.policy.protocol import Denoising, Policy, PrefixCache, VisionFeatures
from ams_ros.types import ActionSlice, Observation, SliceRequest


@dataclass(frozen=True, slots=True, eq=False)
class FinishedInference:
    """Everything a context is made of, still on the policy's device.

    created: seconds since 1970. camera_keys, prefix_key: input keys of what was computed with. guided_by: context id
    denoising started from. seconds: what each kind of vector took, or usually takes, to compute.
    """

    observation: Observation
    request: SliceRequest
    created: float
    camera_keys: Mapping[str, bytes]
    prefix_key: bytes
    features: VisionFeatures
    prefix: PrefixCache
    denoising: Denoising
    action_slice: ActionSlice
    guided_by: str
    seconds: Mapping[VectorKind, float]


def as_context(policy: Policy, model: ModelKey, done: FinishedInference) -> NewContext:
    """The context to be stored, its vectors copied to the host. Raises ConfigurationError for what cannot be kept."""
    tokens = policy.features_to_host(done.features)
    vision, prefix = done.seconds[VectorKind.VISION], done.seconds[VectorKind.PREFIX]
    record = ContextRecord(
        context_id=done.action_slice.context_id,
        model=model,
        instruction=done.observation.instruction,
        episode=done.request.episode,
        index=done.request.index,
        outcome=ContextOutcome.UNKNOWN,
        created=done.created,
        joints=done.observation.joints,
        gripper=done.observation.gripper,
        embedding=context_embedding(tokens, model.cameras, done.observation.joints, done.observation.gripper),
        seed=done.request.seed,
        start_time=float(done.denoising.times[0]),
        guided_by=done.guided_by,
    )
    return NewContext(
        record,
        (
            *(
                NewVector(VectorKind.VISION, camera, tokens[camera], done.camera_keys[camera], vision)
                for camera in model.cameras
            ),
            NewVector(VectorKind.PREFIX, "", policy.prefix_to_host(done.prefix), done.prefix_key, prefix),
            NewVector(VectorKind.LATENTS, "", done.denoising.latents, cost=done.seconds[VectorKind.LATENTS]),
            NewVector(VectorKind.TIMES, "", done.denoising.times),
            NewVector(VectorKind.OUTPUT, "", done.denoising.output),
            NewVector(VectorKind.JOINTS, "", np.ascontiguousarray(done.action_slice.joints)),
            NewVector(VectorKind.GRIPPER, "", np.ascontiguousarray(done.action_slice.gripper)),
        ),
    )
