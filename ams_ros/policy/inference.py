"""One inference from observation to slice, each stage timed."""

from __future__ import annotations

from ams_ros.errors import ConfigurationError
from ams_ros.policy.context_names import ContextNames
from ams_ros.policy.protocol import Policy
from ams_ros.policy.stage_timer import StageTimer
from ams_ros.types import Inference, Observation, ReuseReport, SliceRequest


class SliceInference:
    """Runs a policy's stages one after another: plain inference, nothing reused."""

    def __init__(self, policy: Policy, steps: int | None = None) -> None:
        """Take the policy; `steps` denoising steps instead of its own number."""
        self._policy, self._steps = policy, steps
        self._names = ContextNames()

    @property
    def policy(self) -> Policy:
        """The policy that is run."""
        return self._policy

    def infer(self, observation: Observation, request: SliceRequest) -> Inference:
        """Infer one slice; the same observation and seed give the same slice, under a new context id.

        The instruction is that of the observation. Guidance is not followed, and the report says so.

        Raises InferenceError for an observation that cannot be used, ConfigurationError for its instruction or for
        guidance in a request that bypasses the pool.
        """
        if request.bypass and request.guidance is not None:
            raise ConfigurationError("guidance", request.guidance.reference, "none in a request that bypasses the pool")
        policy, stages = self._policy, StageTimer()
        features = stages.time("encode", lambda: policy.encode_cameras(observation))
        prefix = stages.time("prefix", lambda: policy.build_prefix(observation, features))
        denoising = stages.time(
            "denoise",
            lambda: policy.denoise(observation, prefix, policy.draw_noise(request.seed), steps=self._steps),
        )
        context_id = self._names.next()
        action_slice = stages.time("decode", lambda: policy.decode(observation, denoising.latents[-1], context_id))
        report = ReuseReport(
            pool="bypassed" if request.bypass else "off",
            message="" if request.guidance is None else "no guidance: inference runs without a context pool",
            steps=len(denoising.times) - 1,
        )
        return Inference(action_slice, stages.times, report)
