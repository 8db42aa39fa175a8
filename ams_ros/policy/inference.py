"""One inference from observation to slice, each stage timed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TypeVar

from ams_ros.policy.protocol import Policy
from ams_ros.types import Inference, Observation, ReuseReport, SliceRequest, StageTime

T = TypeVar("T")


class SliceInference:
    """Runs a policy's stages one after another: plain inference, nothing reused."""

    def __init__(self, policy: Policy, steps: int | None = None) -> None:
        """Take the policy; `steps` denoising steps instead of its own number.

        Context ids begin with a word that no other process has.
        """
        self._policy, self._steps = policy, steps
        self._process = uuid.uuid4().hex[:12]
        self._count = 0

    @property
    def policy(self) -> Policy:
        """The policy that is run."""
        return self._policy

    def infer(self, observation: Observation, request: SliceRequest) -> Inference:
        """Infer one slice; the same observation and seed give the same slice, under a new context id.

        The instruction is that of the observation. Guidance is not followed, and the report says so.

        Raises InferenceError for an observation that cannot be used, ConfigurationError for its instruction.
        """
        policy, stages = self._policy, _Stages()
        features = stages.time("encode", lambda: policy.encode_cameras(observation))
        prefix = stages.time("prefix", lambda: policy.build_prefix(observation, features))
        denoising = stages.time(
            "denoise",
            lambda: policy.denoise(observation, prefix, policy.draw_noise(request.seed), steps=self._steps),
        )
        context_id = f"{self._process}-{self._count}"
        self._count += 1
        action_slice = stages.time("decode", lambda: policy.decode(observation, denoising.latents[-1], context_id))
        report = ReuseReport(
            pool="bypassed" if request.bypass else "off",
            message="" if request.guidance is None else "no guidance: inference runs without a context pool",
            steps=len(denoising.times) - 1,
        )
        return Inference(action_slice, tuple(stages.times), report)


class _Stages:
    def __init__(self) -> None:
        self.times: list[StageTime] = []

    def time(self, stage: str, run: Callable[[], T]) -> T:
        started = time.perf_counter()
        result = run()
        self.times.append(StageTime(stage, time.perf_counter() - started))
        return result
