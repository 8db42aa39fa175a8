"""What the pool costs when it has nothing to give: direct and context slices in turn, no observation ever repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import permutations
from statistics import median
from typing import Any

from ams_ros.benchmark.local_reuse import LocalReuse
from ams_ros.benchmark.random_observations import RandomObservations
from ams_ros.benchmark.reuse.figures import percentile_99
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.protocol import Policy
from ams_ros.simulation.robot import IMAGE_SIZE
from ams_ros.types import Inference, Observation, SliceRequest

_BLOCK = 10
"""Slices without a pause between them, as many as are put meanwhile."""
_Infer = Callable[[Observation, SliceRequest], Inference]
_WAYS = ("direct", "direct again", "context")
_ORDERS = tuple(permutations(_WAYS))


@dataclass(frozen=True, slots=True)
class PairedTimes:
    """Slices inferred in turn by direct inference, by direct inference again, and with the pool.

    ratio_*: pool over direct, noise_*: direct over direct again, which is what such a ratio is worth on this machine at
    this time. *_median, *_p99: of medians and percentiles; *_paired: median of the ratios on the same observation.
    """

    direct_ms_median: float
    direct_ms_p99: float
    context_ms_median: float
    context_ms_p99: float
    ratio_median: float
    ratio_p99: float
    ratio_paired: float
    noise_median: float
    noise_p99: float
    noise_paired: float


@dataclass(frozen=True, slots=True)
class OverheadFigures:
    """The cost of a pool with nothing to give.

    drained: every put has ended before the next slice, as when the arm executes in between. not_drained: slices
        without pause, so that inference competes with the puts of the slices before.
    put_cpu_ms_*: CPU time one put takes in the background. not_stored: slices without pause whose context the full
        queue refused.
    """

    slices: int
    drained: PairedTimes
    not_drained: PairedTimes
    put_cpu_ms_median: float
    put_cpu_ms_p99: float
    not_stored: int

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form."""
        return asdict(self)


def measure_overhead(policy: Policy, slices: int, seed: int) -> OverheadFigures:
    """Infer `slices` observations three ways with pauses for the puts, and as many others without."""
    observations = RandomObservations(policy.description, seed, IMAGE_SIZE)
    with LocalReuse(policy) as reuse:
        interleaved = _Interleaved(policy, reuse, observations)
        interleaved.measure(_BLOCK, 1)
        drained = interleaved.measure(slices, 1)
        not_drained = interleaved.measure(slices, _BLOCK)
    return OverheadFigures(
        slices=slices,
        drained=_paired(drained.seconds),
        not_drained=_paired(not_drained.seconds),
        put_cpu_ms_median=median(drained.put_seconds) * 1e3,
        put_cpu_ms_p99=percentile_99(drained.put_seconds) * 1e3,
        not_stored=not_drained.refused,
    )


@dataclass(slots=True)
class _Times:
    """Seconds of each slice by way, CPU seconds of the puts of each block, contexts the queue refused."""

    seconds: dict[str, list[float]]
    put_seconds: list[float]
    refused: int = 0


class _Interleaved:
    """Infers the same observations in all ways, in another order each time."""

    def __init__(self, policy: Policy, reuse: LocalReuse, observations: RandomObservations) -> None:
        self._direct, self._reuse, self._observations = SliceInference(policy), reuse, observations
        self._blocks = 0

    def measure(self, slices: int, block: int) -> _Times:
        """Infer at least `slices` observations in blocks of that size, the puts of a block ended before the next."""
        times = _Times({way: [] for way in _WAYS}, [])
        for _ in range(-(-slices // block)):
            observations = [self._observations.draw() for _ in range(block)]
            for way in _ORDERS[self._blocks % len(_ORDERS)]:
                # Untimed, so that every way finds the processor's caches alike, whichever way went before.
                _timed(self._direct.infer, observations[0])
                if way == "context":
                    self._with_pool(observations, times)
                else:
                    times.seconds[way] += [_timed(self._direct.infer, each)[0] for each in observations]
            self._blocks += 1
        return times

    def _with_pool(self, observations: list[Observation], times: _Times) -> None:
        background = time.process_time() - time.thread_time()
        for observation in observations:
            seconds, inference = _timed(self._reuse.inference.infer, observation)
            times.seconds["context"].append(seconds)
            times.refused += not inference.reuse.stored
        self._reuse.drain()
        times.put_seconds.append(time.process_time() - time.thread_time() - background)


def _timed(
    infer: Callable[[Observation, SliceRequest], Inference], observation: Observation
) -> tuple[float, Inference]:
    request = SliceRequest(observation.instruction, seed=0)
    started = time.perf_counter()
    inference = infer(observation, request)
    return time.perf_counter() - started, inference


def _paired(seconds: dict[str, list[float]]) -> PairedTimes:
    middle = {way: median(values) for way, values in seconds.items()}
    late = {way: percentile_99(values) for way, values in seconds.items()}
    return PairedTimes(
        direct_ms_median=middle["direct"] * 1e3,
        direct_ms_p99=late["direct"] * 1e3,
        context_ms_median=middle["context"] * 1e3,
        context_ms_p99=late["context"] * 1e3,
        ratio_median=middle["context"] / middle["direct"],
        ratio_p99=late["context"] / late["direct"],
        ratio_paired=_of_pairs(seconds["context"], seconds["direct"]),
        noise_median=middle["direct again"] / middle["direct"],
        noise_p99=late["direct again"] / late["direct"],
        noise_paired=_of_pairs(seconds["direct again"], seconds["direct"]),
    )


def _of_pairs(seconds: list[float], control: list[float]) -> float:
    return median(own / other for own, other in zip(seconds, control, strict=True))
