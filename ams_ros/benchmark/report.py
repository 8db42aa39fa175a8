"""What an evaluation found, and its JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import fmean, median
from typing import Any

from ams_ros.benchmark.confidence import wilson_interval

STEPS_PER_OBJECT, STEPS_OF_ONE_TASK = 160, 40
"""A second cap, besides the paper's: so many steps for each object and so many once. Feasibility was judged by it."""


@dataclass(frozen=True, slots=True)
class Signals:
    """How the replay signal did in one episode.

    raised: times it was, because of what moved or what a slice promised to move. false_positives: of those, while a job
    was under way: none was seen or truly done since the last replay, and the arm was away from its start pose. idle:
    executed slices that moved nothing. false_negatives: of those, the ones after which the task went on as before.
    """

    raised: int = 0
    false_positives: int = 0
    idle: int = 0
    false_negatives: int = 0


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one episode: not a function of its seed.

    task: simulated and of inference, as long as it would have taken on a robot. jobs: the same until each job was seen
    done. stages: of inference, by stage. wall: what running it took here.
    """

    task: float = 0.0
    jobs: tuple[float, ...] = ()
    stages: Mapping[str, float] = field(default_factory=dict)
    wall: float = 0.0

    @property
    def inference(self) -> float:
        """All stages together."""
        return sum(self.stages.values())


@dataclass(frozen=True, slots=True)
class Episode:
    """One scored episode.

    seed: of scene and noise; `ams run --seed` with it shows the same scene over the nodes.
    success: every object was where the task wants it when the episode had ended.
    placed: how many were. placed_steps: the step counts at which one more was, for good.
    steps: executed in all.
    steps_to_success: executed when all objects were first in place at the end of a slice; None without success.
    jobs, job_steps: what the robot itself saw done, and at which step counts; replays, attempts, exceptions: of the
    task loop. outcome: how that ended.
    """

    seed: int
    success: bool
    placed: int
    steps: int
    steps_to_success: int | None
    inferences: int
    outcome: str
    message: str
    jobs: int = 0
    job_steps: tuple[int, ...] = ()
    placed_steps: tuple[int, ...] = ()
    replays: int = 0
    attempts: int = 1
    exceptions: int = 0
    signals: Signals = field(default_factory=Signals)
    times: Times = field(default_factory=Times, compare=False)

    @staticmethod
    def from_dictionary(content: Mapping[str, Any]) -> Episode:
        """The episode of that JSON form."""
        values = dict(content)
        for key in ("job_steps", "placed_steps"):
            values[key] = tuple(values[key])
        values["signals"] = Signals(**values["signals"])
        values["times"] = Times(**{**values["times"], "jobs": tuple(values["times"]["jobs"])})
        return Episode(**values)


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
        return self.steps_mean(self.cap)

    @property
    def short_cap(self) -> int:
        """The second cap."""
        return min(self.cap, STEPS_PER_OBJECT * self.objects + STEPS_OF_ONE_TASK)

    def steps_mean(self, cap: int) -> float:
        """Mean steps to success, where a failure and a success after `cap` steps both count as `cap`."""
        return fmean(
            cap if episode.steps_to_success is None else min(cap, episode.steps_to_success)
            for episode in self.per_episode
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
            "steps_mean_short_cap": self.steps_mean(self.short_cap),
            "short_cap": self.short_cap,
            "per_episode": [asdict(episode) for episode in self.per_episode],
        }

    def to_json(self) -> str:
        """The JSON form, readable by people."""
        return json.dumps(self.as_dictionary(), indent=2)
