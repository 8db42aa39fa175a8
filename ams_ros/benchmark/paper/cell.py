"""A cell: one task, arm, policy, mode and number of objects, with everything that is done otherwise."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ams_ros.benchmark.local_reuse import ROBOT
from ams_ros.benchmark.request import CAP, EvaluationRequest, Variation
from ams_ros.benchmark.troubles import NONE
from ams_ros.replay.settings import ReplaySettings
from ams_ros.replay.signal import SignalSettings

SEED = 900_000
"""Of the first scene of every cell: the same scenes for all cells of as many objects of a task."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is run.

    policy: the word the policy goes by in this benchmark. faults: scenario of troubles. library: successes in the pool
    of each episode at its begin.
    """

    task: str
    mode: str
    objects: int
    policy: str
    robot: str = ROBOT
    faults: str = NONE
    library: int = 3
    variation: Variation = field(default_factory=Variation)
    cap: int = CAP
    seed: int = SEED

    def request(self, checkpoint: str, episodes: int) -> EvaluationRequest:
        """The evaluation of so many episodes with the policy of that checkpoint; raises ConfigurationError."""
        return EvaluationRequest(
            self.task,
            self.mode,
            self.objects,
            episodes,
            self.seed,
            policy=checkpoint,
            cap=self.cap,
            until_cap=True,
            robot=self.robot,
            library=self.library,
            faults=self.faults,
            variation=self.variation,
        )

    def settings(self) -> dict[str, Any]:
        """Everything that an episode depends on besides its seed and the policy's weights."""
        content = asdict(self)
        content["variation"]["variant"] = self.variation.variant.value
        # What is shipped may change from one day to the next, and with it what a cell says.
        content["replay"] = {**asdict(ReplaySettings()), "variant": ReplaySettings().variant.value}
        content["signal"] = asdict(SignalSettings())
        return content

    @property
    def name(self) -> str:
        """Of the cell's file; equal for cells that may not both be kept."""
        parts = [self.task, self.robot, self.policy, self.mode, f"n{self.objects}"]
        parts += [] if self.faults == NONE else [self.faults]
        parts += [] if self.library == Cell.__dataclass_fields__["library"].default else [f"library{self.library}"]
        shipped = asdict(Variation())
        for key, value in asdict(self.variation).items():
            if value != shipped[key]:
                parts.append(f"{key}{getattr(value, 'value', value)}")
        return "-".join(parts)

    def with_variation(self, **changes: Any) -> Cell:
        """The same, done otherwise."""
        return replace(self, variation=replace(self.variation, **changes))
