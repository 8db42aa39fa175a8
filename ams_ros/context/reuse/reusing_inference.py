"""Inference that asks the pool before it computes, and tells the pool afterwards (spec C1, C2, C7)."""

from __future__ import annotations

import time

from ams_ros.context.eviction.choice import find_policy
from ams_ros.context.index.embedding import context_embedding
from ams_ros.context.records import ModelKey, VectorKind, check_identifier
from ams_ros.context.reuse.approximate import ApproximateReuse
from ams_ros.context.reuse.context_writer import ContextWriter
from ams_ros.context.reuse.device_tier import DeviceTier
from ams_ros.context.reuse.finished_inference import FinishedInference, as_context
from ams_ros.context.reuse.guarded_store import ABSENT, GuardedStore
from ams_ros.context.reuse.guidance_search import GuidanceSearch, Guided
from ams_ros.context.reuse.pool_reader import PoolReader, Reusable
from ams_ros.context.reuse.reuse_options import ReuseOptions
from ams_ros.context.reuse.reuse_report import reuse_report
from ams_ros.context.reuse.stage_medians import StageMedians
from ams_ros.context.store import ContextStore
from ams_ros.policy.context_names import ContextNames
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.protocol import Denoising, Policy, PrefixCache, VisionFeatures
from ams_ros.policy.stage_timer import StageTimer
from ams_ros.types import Inference, Observation, SliceRequest


class ReusingInference:
    """Runs those stages of a policy whose results are not there yet, and hands every inference to the pool.

    Features of a camera are reused when its picture is the same byte for byte, the whole prefix when every picture and
    the instruction are. A camera encoded alone, next to reused ones, may differ from the same encoded in a batch by
    the rounding of the matrix products; a reused prefix is the stored one bit by bit.

    One instance serves one thread; a second one, its own, stores contexts.
    """

    def __init__(self, policy: Policy, store: ContextStore, options: ReuseOptions) -> None:
        """Take policy and pool. Close it when done."""
        self._policy, self._plain, self._names = policy, SliceInference(policy), ContextNames()
        self._model = model_key(policy, options)
        self._store = GuardedStore(store)
        self._medians = StageMedians()
        self._tier = DeviceTier(options.device_bytes, find_policy(options.device_policy))
        self._approximate = (
            ApproximateReuse(options.approximate_threshold, options.approximate_maximum_age)
            if options.approximate_threshold
            else None
        )
        self._reader = PoolReader(
            policy, self._model, self._store, tier=self._tier, medians=self._medians, approximate=self._approximate
        )
        self._search = GuidanceSearch(policy, self._model, self._store)
        self._writer = ContextWriter(
            GuardedStore(store), lambda done: as_context(policy, self._model, done), options.put_queue
        )

    @property
    def policy(self) -> Policy:
        """The policy that is run."""
        return self._policy

    @property
    def model_key(self) -> ModelKey:
        """What everything in the pool must have been made with to be reused here."""
        return self._model

    def infer(self, observation: Observation, request: SliceRequest) -> Inference:
        """Infer one slice, reusing what there is; the instruction is that of the observation.

        Raises InferenceError for an observation that cannot be used, and for guidance that names a context which is
        not there, is another model's or cannot serve; ConfigurationError for an instruction or an episode's id that
        cannot be used, and for guidance in a request that bypasses the pool.
        """
        if request.bypass:
            inference = self._plain.infer(observation, request)
            for stage in inference.stages:
                self._count(stage.stage, stage.seconds, len(self._model.cameras))
            return inference
        if request.episode:
            check_identifier("episode", request.episode)
        return self._infer(observation, request)

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until every inference so far has gone to the store; False when the time (s) ran out or it cannot."""
        return self._writer.drain(timeout)

    def forget(self) -> None:
        """Let go of everything on the device, and of the pictures that others may pass for."""
        self._tier.clear()
        if self._approximate is not None:
            self._approximate.forget()

    def close(self) -> None:
        """Store what waits, then end the storing thread; `infer` goes on, storing nothing."""
        self._writer.close()

    def _infer(self, observation: Observation, request: SliceRequest) -> Inference:
        policy, stages = self._policy, StageTimer()
        found = stages.time("lookup", lambda: self._reader.look_up(observation))
        state = self._store.state
        # A pool that is not well may be again by the next slice; only one that is away is not asked.
        storing = state != ABSENT
        features = VisionFeatures(dict(found.features))
        # A prefix that was found makes features needless for the slice, but situations are compared by them.
        if found.prefix is None or storing:
            features = self._complete(observation, found, stages)
        prefix = found.prefix or self._build(observation, features, found, stages)
        guided = stages.time("lookup", lambda: self._guide(observation, request, features, storing))
        denoising = stages.time("denoise", lambda: self._denoise(observation, prefix, request.seed, guided))
        name = self._names.next()
        action_slice = stages.time("decode", lambda: policy.decode(observation, denoising.latents[-1], name))
        self._reader.remember(observation, found)
        stored = storing and self._writer.accepts()
        messages = (*found.messages, guided.message, *self._store.trouble(), *self._writer.trouble())
        report = reuse_report(
            state=state,
            found=found,
            guided=guided,
            denoising=denoising,
            stages=stages,
            medians=self._medians,
            stored=stored,
            messages=messages,
        )
        if stored:
            done = FinishedInference(
                observation=observation,
                request=request,
                created=time.time(),
                camera_keys=found.keys,
                prefix_key=found.prefix_key,
                features=features,
                prefix=prefix,
                denoising=denoising,
                action_slice=action_slice,
                guided_by=guided.context_id,
                seconds=self._seconds(stages),
            )
            # Last of all: the thread that wakes up now competes for Python's lock.
            self._writer.submit(done)
        return Inference(action_slice, stages.times, report)

    def _complete(self, observation: Observation, found: Reusable, stages: StageTimer) -> VisionFeatures:
        """The features of every camera; those that were not found are encoded."""
        missing = tuple(camera for camera in self._model.cameras if camera not in found.features)
        if not missing:
            return VisionFeatures(dict(found.features))
        encoded = stages.time("encode", lambda: self._policy.encode_cameras(observation, missing)).tokens
        self._count("encode", stages.seconds("encode"), len(missing))
        cost = self._medians.latest("encode")
        for camera, tokens in encoded.items():
            self._tier.admit(found.keys[camera], tokens, VectorKind.VISION, tokens.nbytes, cost)
        return VisionFeatures({**found.features, **encoded})

    def _build(
        self, observation: Observation, features: VisionFeatures, found: Reusable, stages: StageTimer
    ) -> PrefixCache:
        prefix = stages.time("prefix", lambda: self._policy.build_prefix(observation, features))
        self._count("prefix", stages.seconds("prefix"))
        nbytes = sum(layer.nbytes for layer in (*prefix.keys, *prefix.values))
        self._tier.admit(found.prefix_key, prefix, VectorKind.PREFIX, nbytes, self._medians.latest("prefix"))
        return prefix

    def _guide(
        self, observation: Observation, request: SliceRequest, features: VisionFeatures, storing: bool
    ) -> Guided:
        if request.guidance is None:
            return Guided(None)
        if not storing:
            return Guided(None, message="no guidance: the pool is away")
        tokens = self._policy.features_to_host(features)
        embedding = context_embedding(tokens, self._model.cameras, observation.joints, observation.gripper)
        return self._search.find(request.guidance, request, observation.instruction, embedding)

    def _denoise(self, observation: Observation, prefix: PrefixCache, seed: int, guided: Guided) -> Denoising:
        if guided.start is None:
            return self._policy.denoise(observation, prefix, self._policy.draw_noise(seed))
        start = guided.start
        return self._policy.denoise(observation, prefix, start.latent, start.time, start.steps)

    def _seconds(self, stages: StageTimer) -> dict[VectorKind, float]:
        """What each kind of vector took to compute; of one that was reused, what it took the last time."""
        return {
            VectorKind.VISION: self._medians.latest("encode"),
            VectorKind.PREFIX: self._medians.latest("prefix"),
            VectorKind.LATENTS: stages.seconds("denoise"),
        }

    def _count(self, stage: str, seconds: float, cameras: int = 1) -> None:
        """Remember what a stage took; encoding by camera."""
        self._medians.add(stage, seconds / cameras if stage == "encode" else seconds)


def model_key(policy: Policy, options: ReuseOptions) -> ModelKey:
    """What everything in a pool must have been made with to be reused with that policy and those options."""
    it = policy.description
    return ModelKey(
        model_id=it.model_id,
        weights_hash=it.weights_hash,
        config_hash=it.config_hash,
        dtype=it.dtype,
        cameras=it.cameras,
        calibration_id=options.calibration_id,
        robot=options.robot,
    )
