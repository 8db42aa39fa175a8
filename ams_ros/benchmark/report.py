"""What an evaluation found, and its JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from ams_ros.benchmark.confidence import wilson_interval


@dataclass(frozen=True, slots=True)
class Episode:
    """One scored episode.

    seed: of scene and noise; `ams run --seed` with it shows the same scene over the nodes.
    success: every object was where the task wants it when the episode had ended.
    placed: how many were.
    steps: executed in all.
    steps_to_success: executed when all objects were first in place at the end of a slice; None without success.
    outcome: how the task loop ended.
    """

    seed: int
    success: bool
    placed: int
    steps: int
    steps_to_success: int | None
    inferences: int
    outcome: str
    message: str


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All episodes of one cell: one task, mode and number of objects. cap: the step budget of every episode."""

    task: str
    mode: str
    objects: int
    seed: int
    cap: int
    per_episode: tuple[Episode, ...]

    @property
    def successes(self) -> int:
        """How many episodes succeeded."""
        return sum(episode.success for episode in self.per_episode)

    @property
    def steps_median_successful(self) -> float | None:
        """Median steps to success over the successful episodes; None without any."""
        steps = [episode.steps_to_success for episode in self.per_episode if episode.steps_to_success is not None]
        return median(steps) if steps else None

    @property
    def steps_mean_capped(self) -> float:
        """Mean steps to success over all episodes, a failure counted as the cap."""
        return fmean(
            self.cap if episode.steps_to_success is None else episode.steps_to_success for episode in self.per_episode
        )

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form, in its order."""
        return {
            "task": self.task,
            "mode": self.mode,
            "objects": self.objects,
            "episodes": len(self.per_episode),
            "seed": self.seed,
            "success": self.successes,
            "success_rate": self.successes / len(self.per_episode),
            "ci95": list(wilson_interval(self.successes, len(self.per_episode))),
            "steps_median_successful": self.steps_median_successful,
            "steps_mean_capped": self.steps_mean_capped,
            "cap": self.cap,
            "per_episode": [asdict(episode) for episode in self.per_episode],
        }

    def to_json(self) -> str:
        """The JSON form, readable by people."""
        return json.dumps(self.as_dictionary(), indent=2)
