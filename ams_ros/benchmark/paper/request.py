"""What `ams bench paper` is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ams_ros.errors import ConfigurationError

LEAST_EPISODES, QUICK_EPISODES = 50, 10


@dataclass(frozen=True, slots=True)
class PaperRequest:
    """What to measure.

    folder: where cells, libraries and figures are kept. policies: checkpoint by the word it goes by: cubes, cups and
    mixed for those tasks, jaka for cubes on that arm, seed1 and on for cubes from other training seeds. figures: their
    names. episodes: of every cell. workers: processes. quick: a few small cells.
    """

    folder: Path
    policies: Mapping[str, str]
    figures: tuple[str, ...]
    episodes: int
    workers: int
    quick: bool

    def __post_init__(self) -> None:
        """Refuse what cannot be measured, before any process is started."""
        for key, value in (("episodes", self.episodes), ("workers", self.workers)):
            if value < 1:
                raise ConfigurationError(key, value, "an integer of at least 1")
        for word in self.policies:
            if word not in WORDS and not (word.startswith("seed") and word[4:].isdigit()):
                raise ConfigurationError("policy", word, f"{', '.join(WORDS)}, seed1, seed2 and so on")

    @property
    def seeds(self) -> tuple[str, ...]:
        """The words of policies for cubes from different training seeds, the first one's first."""
        return ("cubes", *sorted(word for word in self.policies if word.startswith("seed")))


SHIPPED_AS = {"cubes": "cubes", "cups": "cups", "mixed": "mixed", "jaka": "jaka_cubes"}
"""The shipped checkpoint of each word."""

WORDS = tuple(SHIPPED_AS)
