"""Where the time of a slice goes, and what each kind of reuse gives back, on one policy."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ams_ros.benchmark.local_reuse import LocalReuse
from ams_ros.benchmark.random_observations import RandomObservations
from ams_ros.context.records import ContextOutcome
from ams_ros.context.reuse.reusing_inference import ReusingInference
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.protocol import Policy
from ams_ros.types import Guidance, Inference, Observation, SliceRequest

_WARM_AT = 0.5
_SAME = "everything the same, from "


@dataclass(frozen=True, slots=True)
class StageRow:
    """One situation, medians over its repeats.

    ratio_to_direct: of the whole slice, from observation to slice, to direct inference in the same repeat. tiers: where
    what was reused lay.
    """

    situation: str
    repeats: int
    slice_ms: float
    stages_ms: dict[str, float]
    ratio_to_direct: float
    bytes_reused: int
    tiers: tuple[str, ...]
    lookup_ms: float


@dataclass(frozen=True, slots=True)
class VectorSizes:
    """Bytes of what one inference leaves behind; vision: of one camera."""

    vision: int
    prefix: int
    latents: int
    output: int


@dataclass(frozen=True, slots=True)
class StageFigures:
    """The first row is direct inference. put_ms: from the end of an inference until all it left is in the pool."""

    dtype: str
    cameras: int
    denoising_steps: int
    sizes: VectorSizes
    put_ms: float
    rows: tuple[StageRow, ...]

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form."""
        return asdict(self)

    def shares(self) -> dict[str, float]:
        """Of the time direct inference spends in stages, by stage; 1 in all."""
        stages = self.rows[0].stages_ms
        return {name: milliseconds / sum(stages.values()) for name, milliseconds in stages.items()}


def measure_stages(policy: Policy, repeats: int, seed: int) -> StageFigures:
    """Infer in every situation `repeats` times, each time on pictures never seen before."""
    observations = RandomObservations(policy.description, seed)
    with tempfile.TemporaryDirectory(prefix="ams_ros_bench_") as folder:
        situations = _Situations(policy, observations, Path(folder))
        situations.run(repeats)
    description = policy.description
    return StageFigures(
        dtype=description.dtype,
        cameras=len(description.cameras),
        denoising_steps=description.denoising_steps,
        sizes=_sizes(policy, observations.draw()),
        put_ms=median(situations.put_seconds) * 1e3,
        rows=tuple(_row(name, timed) for name, timed in situations.found.items()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Timed:
    """An inference, its seconds, and those of direct inference in the same repeat."""

    inference: Inference
    seconds: float
    direct_seconds: float


class _Situations:
    """Every situation in turn, so that a machine that slows down slows all of them."""

    def __init__(self, policy: Policy, observations: RandomObservations, folder: Path) -> None:
        self._policy, self._observations, self._folder = policy, observations, folder
        self._direct = SliceInference(policy)
        self.found: dict[str, list[_Timed]] = {}
        self.put_seconds: list[float] = []

    def run(self, repeats: int) -> None:
        seen: list[Observation] = []
        with self._open() as reuse:
            first = self._observations.draw()
            for inference in (self._direct, reuse.inference):
                inference.infer(first, SliceRequest(first.instruction, seed=0))
            reuse.drain()
            for _ in range(repeats):
                seen.append(self._in_memory(reuse))
        for observation in seen:
            # Opened anew each time: what was read from disk once lies in the host tier afterwards.
            with self._open() as reuse:
                control = self._control(observation)
                self._time(_SAME + "disk", reuse.inference, observation, control)

    def _in_memory(self, reuse: LocalReuse) -> Observation:
        """One repeat of everything that needs no reopened pool; returns an observation whose context is on disk."""
        known = self._observations.draw()
        control = self._control(known)
        first = self._time("nothing to reuse", reuse.inference, known, control)
        ended = time.perf_counter()
        reuse.drain()
        self.put_seconds.append(time.perf_counter() - ended)
        context_id = first.slice.context_id
        reuse.pool.set_outcome(context_id, ContextOutcome.SUCCEEDED)
        warm = Guidance(context_id, _WARM_AT)
        some = self._observations.keep_first_picture(known)
        others: tuple[tuple[str, Observation, Guidance | None], ...] = (
            ("one picture the same", some, None),
            ("all pictures the same, other words", self._observations.say_otherwise(known), None),
            (_SAME + "process", known, None),
            (_SAME + "host", known, None),
            (f"warm start at {_WARM_AT:g}, nothing else", self._observations.draw(), warm),
            (f"{_SAME}process, warm start at {_WARM_AT:g}", known, warm),
        )
        for situation, observation, guidance in others:
            if situation.endswith("host"):
                reuse.inference.forget()
            self._time(situation, reuse.inference, observation, control, guidance)
            reuse.drain()
        return known

    def _control(self, observation: Observation) -> float:
        """Seconds of direct inference, a row of its own and the measure of the others in the same repeat."""
        started = time.perf_counter()
        inferred = self._direct.infer(observation, SliceRequest(observation.instruction, seed=0))
        seconds = time.perf_counter() - started
        self.found.setdefault("direct", []).append(_Timed(inferred, seconds, seconds))
        return seconds

    def _time(
        self,
        situation: str,
        inference: ReusingInference,
        observation: Observation,
        control: float,
        guidance: Guidance | None = None,
    ) -> Inference:
        request = SliceRequest(observation.instruction, seed=0, guidance=guidance)
        started = time.perf_counter()
        inferred = inference.infer(observation, request)
        self.found.setdefault(situation, []).append(_Timed(inferred, time.perf_counter() - started, control))
        return inferred

    def _open(self) -> LocalReuse:
        return LocalReuse(self._policy, folder=self._folder)


def _row(situation: str, timed: list[_Timed]) -> StageRow:
    stages: dict[str, list[float]] = {}
    for one in timed:
        for stage in one.inference.stages:
            stages.setdefault(stage.stage, []).append(stage.seconds)
    reports = [one.inference.reuse for one in timed]
    return StageRow(
        situation=situation,
        repeats=len(timed),
        slice_ms=median(one.seconds for one in timed) * 1e3,
        stages_ms={name: median(values) * 1e3 for name, values in stages.items()},
        ratio_to_direct=median(one.seconds / one.direct_seconds for one in timed),
        bytes_reused=round(median(report.bytes_reused for report in reports)),
        tiers=tuple(sorted({tier for report in reports for tier in report.tiers})),
        lookup_ms=median(report.lookup_seconds for report in reports) * 1e3,
    )


def _sizes(policy: Policy, observation: Observation) -> VectorSizes:
    features = policy.encode_cameras(observation)
    prefix = policy.build_prefix(observation, features)
    denoising = policy.denoise(observation, prefix, policy.draw_noise(0))
    return VectorSizes(
        vision=next(iter(policy.features_to_host(features).values())).nbytes,
        prefix=policy.prefix_to_host(prefix).nbytes,
        latents=denoising.latents.nbytes,
        output=denoising.output.nbytes,
    )
