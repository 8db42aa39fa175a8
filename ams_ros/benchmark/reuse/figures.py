"""What one cell of `ams bench reuse` found: success, throughput, time by stage, hits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np

from ams_ros.benchmark.confidence import wilson_interval
from ams_ros.benchmark.report import Episode
from ams_ros.benchmark.reuse.cells import Cell
from ams_ros.benchmark.reuse.scenes import SceneSet
from ams_ros.types import ReuseReport


@dataclass(frozen=True, slots=True)
class TimedSlice:
    """One inference of an episode.

    seconds: wall time from observation to slice. stages: seconds by name. report: what the pool did.
    direct_seconds: wall time of direct inference on the same observation, right before or after; None when it was not
        measured. special: whether the cell starts this slice warm or in fewer steps.
    """

    seconds: float
    stages: tuple[tuple[str, float], ...]
    report: ReuseReport
    direct_seconds: float | None
    special: bool


@dataclass(frozen=True, slots=True)
class TimedEpisode:
    """An episode and its inferences. period: seconds per step."""

    episode: Episode
    slices: tuple[TimedSlice, ...]
    period: float


@dataclass(frozen=True, slots=True)
class CellFigures:
    """All episodes of one cell on one set of scenes. cameras: how many the policy has. cap: of every episode, steps."""

    cell: Cell
    scenes: SceneSet
    cameras: int
    cap: int
    episodes: tuple[TimedEpisode, ...]

    @property
    def slices(self) -> tuple[TimedSlice, ...]:
        """Of all episodes."""
        return tuple(one for episode in self.episodes for one in episode.slices)

    @property
    def successes(self) -> int:
        """How many episodes succeeded."""
        return sum(episode.episode.success for episode in self.episodes)

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form."""
        special = [one for one in self.slices if one.special]
        return {
            "cell": self.cell.name,
            "scenes": self.scenes.name,
            "objects": self.scenes.objects,
            "in_bowl": self.scenes.in_bowl,
            **self._success(),
            **self._throughput(),
            "slice": slice_times(self.slices),
            "special_slices": slice_times(special) if special else None,
            "reuse": reuse_rates(self.slices, self.cameras),
            "per_episode": [
                {
                    "seed": one.episode.seed,
                    "success": one.episode.success,
                    "steps": one.episode.steps,
                    "inferences": one.episode.inferences,
                    "outcome": one.episode.outcome,
                    "message": one.episode.message,
                }
                for one in self.episodes
            ],
        }

    def _success(self) -> dict[str, Any]:
        count = len(self.episodes)
        return {
            "episodes": count,
            "successes": self.successes,
            "ci95": list(wilson_interval(self.successes, count)),
            "steps_mean_capped": fmean(
                self.cap if one.episode.steps_to_success is None else one.episode.steps_to_success
                for one in self.episodes
            ),
        }

    def _throughput(self) -> dict[str, Any]:
        """Actions per second of policy time, and of policy and execution time together."""
        steps = sum(one.episode.steps for one in self.episodes)
        policy = sum(one.seconds for one in self.slices)
        execution = sum(one.episode.steps * one.period for one in self.episodes)
        return {
            "actions_per_policy_second": steps / policy,
            "actions_per_second": steps / (policy + execution),
            "inferences_per_second": len(self.slices) / policy,
        }


def slice_times(slices: Sequence[TimedSlice]) -> dict[str, Any]:
    """Times of at least one slice in ms, and the median ratio to direct inference where that was measured beside."""
    ratios = [one.seconds / one.direct_seconds for one in slices if one.direct_seconds is not None]
    stages: dict[str, list[float]] = {}
    for one in slices:
        for name, seconds in one.stages:
            stages.setdefault(name, []).append(seconds)
    return {
        "count": len(slices),
        "ms_median": median(one.seconds for one in slices) * 1e3,
        "ms_p99": percentile_99(one.seconds for one in slices) * 1e3,
        "stages_ms_median": {name: median(seconds) * 1e3 for name, seconds in stages.items()},
        "pairs": len(ratios),
        "ratio_to_direct": median(ratios) if ratios else None,
        "denoising_steps_mean": fmean(one.report.steps for one in slices),
    }


def reuse_rates(slices: Sequence[TimedSlice], cameras: int) -> dict[str, Any]:
    """What the pool gave, over at least one slice of a policy with that many cameras; rates in 0..1."""
    reports = [one.report for one in slices]
    pictures = cameras * len(reports)
    return {
        "vision_exact": sum(len(report.vision_exact) for report in reports) / pictures,
        "vision_approximate": sum(len(report.vision_approximate) for report in reports) / pictures,
        "prefix_exact": _share(report.prefix == "exact" for report in reports),
        "prefix_approximate": _share(report.prefix == "approximate" for report in reports),
        "guided": _share(bool(report.guided_by) for report in reports),
        "similarity_mean": fmean([report.similarity for report in reports if report.guided_by] or [0.0]),
        "bytes_per_slice": fmean(report.bytes_reused for report in reports),
        "patch_difference_max": max(report.patch_difference for report in reports),
        "saved_ms_per_slice": fmean(report.seconds_saved for report in reports) * 1e3,
        "lookup_ms_median": median(report.lookup_seconds for report in reports) * 1e3,
        "lookup_ms_p99": percentile_99(report.lookup_seconds for report in reports) * 1e3,
        "not_stored": _share(report.pool == "connected" and not report.stored for report in reports),
        "messages": sorted({report.message for report in reports if report.message}),
    }


def percentile_99(values: Iterable[float]) -> float:
    """The 99th percentile of at least one value."""
    return float(np.percentile(list(values), 99))


def _share(flags: Iterable[bool]) -> float:
    return fmean(list(flags))
