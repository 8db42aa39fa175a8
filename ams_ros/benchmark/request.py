"""What an evaluation is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.errors import ConfigurationError
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.task_loop import parse_mode


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate.

    seed: of the first episode; episode k uses seed + k.
    cap: step budget of every episode.
    until_cap: go on after the policy has come to rest, up to the cap: the most favourable reading of `direct`.
    """

    task: str
    mode: str
    objects: int
    episodes: int
    seed: int
    policy: str = "cubes"
    cap: int = 1500
    until_cap: bool = False
    workers: int = 2

    def __post_init__(self) -> None:
        """Refuse what cannot be evaluated before any process is started."""
        task = find_task(self.task)
        parse_mode(self.mode)
        if not 1 <= self.objects <= task.maximum_objects:
            raise ConfigurationError("objects", self.objects, f"1..{task.maximum_objects} for task {self.task!r}")
        for key, value in (("episodes", self.episodes), ("cap", self.cap), ("workers", self.workers)):
            if value < 1:
                raise ConfigurationError(key, value, "an integer of at least 1")
        if self.seed < 0:
            raise ConfigurationError("seed", self.seed, "an integer of at least 0")
