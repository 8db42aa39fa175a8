"""What an evaluation is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from ams_ros.benchmark.local_reuse import ROBOT
from ams_ros.benchmark.troubles import NONE, check_scenario
from ams_ros.errors import ConfigurationError
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.task_loop import parse_mode
from ams_ros.types import GuidanceVariant

LIBRARY_OFFSET = 50_000
"""A library is made in scenes this far behind the ones that are scored."""

CAP = 1500
"""Steps of every episode (spec R4), fixed before anything was measured."""


@dataclass(frozen=True, slots=True)
class Variation:
    """What is done otherwise than as shipped; the defaults change nothing.

    arm, gripper: thresholds of the replay signal, rad and m. start_time: flow time guidance starts at, and variant:
    what of a stored inference it starts from. steps: denoising steps of every slice in modes without a pool. blind:
    actions are watched and none is stopped, so that nothing is recovered from in modes that would.
    """

    arm: float = 0.0
    gripper: float = 0.0
    start_time: float = 0.0
    variant: GuidanceVariant = GuidanceVariant.LATENT
    steps: int = 0
    blind: bool = False


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate.

    seed: of the first episode; episode k uses seed + k. robot: name of the arm's profile.
    cap: step budget of every episode.
    until_cap: go on after the policy has come to rest, up to the cap or until every object has been in place for a
        while: the most favourable reading of the modes that do not replay.
    library: successes with one object that the pool of every episode holds at its begin, in modes with a pool.
    faults: the scenario of troubles in every episode.
    tell_jobs: tell the robot how many objects there are.
    """

    task: str
    mode: str
    objects: int
    episodes: int
    seed: int
    policy: str = "cubes"
    cap: int = CAP
    until_cap: bool = False
    workers: int = 2
    robot: str = ROBOT
    library: int = 3
    faults: str = NONE
    tell_jobs: bool = False
    variation: Variation = field(default_factory=Variation)

    def __post_init__(self) -> None:
        """Refuse what cannot be evaluated before any process is started."""
        task = find_task(self.task)
        mode = parse_mode(self.mode)
        check_scenario(self.faults)
        if not 1 <= self.objects <= task.maximum_objects:
            raise ConfigurationError("objects", self.objects, f"1..{task.maximum_objects} for task {self.task!r}")
        for key, value in (("episodes", self.episodes), ("cap", self.cap), ("workers", self.workers)):
            if value < 1:
                raise ConfigurationError(key, value, "an integer of at least 1")
        if self.episodes > LIBRARY_OFFSET:
            raise ConfigurationError("episodes", self.episodes, f"at most {LIBRARY_OFFSET}")
        if self.seed < 0:
            raise ConfigurationError("seed", self.seed, "an integer of at least 0")
        if not 0 <= self.library <= 20:
            raise ConfigurationError("library", self.library, "0..20 successes")
        if self.variation.steps and mode.pooled:
            raise ConfigurationError("steps", self.variation.steps, "0 in modes with a pool")

    @property
    def seeds(self) -> range:
        """Of the scenes that are scored."""
        return range(self.seed, self.seed + self.episodes)
