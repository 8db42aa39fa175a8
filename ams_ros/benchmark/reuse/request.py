"""What `ams bench reuse` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.errors import ConfigurationError

FILLING_OFFSET = 50_000
"""The pool is filled from scenes this far behind the ones that are scored."""

USED_FOR_CHOOSING = (range(200_000, 200_100), range(300_000, 300_100))
"""Seeds the shipped checkpoint was chosen on; nothing may be claimed on them."""


@dataclass(frozen=True, slots=True)
class ReuseRequest:
    """What to measure.

    policy: name or folder of the checkpoint. episodes: per cell and set of scenes. seed: of the first scene; episode k
        uses seed + k in every cell, the pool is filled from seed + FILLING_OFFSET and on.
    workers: processes. cap: step budget of every episode (the paper's by default). quick: a few cells, one set of
        scenes.
    """

    policy: str
    episodes: int
    seed: int
    workers: int
    cap: int = 1500
    quick: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be measured, before any process is started."""
        for key, value in (("workers", self.workers), ("episodes", self.episodes), ("cap", self.cap)):
            if value < 1:
                raise ConfigurationError(key, value, "an integer of at least 1")
        if self.episodes > FILLING_OFFSET:
            raise ConfigurationError("episodes", self.episodes, f"at most {FILLING_OFFSET}")
        if self.seed < 0:
            raise ConfigurationError("seed", self.seed, "an integer of at least 0")
        for used in USED_FOR_CHOOSING:
            for seeds in (self.seeds, self.filling_seeds):
                if seeds.start < used.stop and used.start < seeds.stop:
                    raise ConfigurationError(
                        "seed",
                        self.seed,
                        f"a number whose scenes, {self.seeds.start}.. and {self.filling_seeds.start}.., are not among "
                        f"{used.start}..{used.stop - 1}: the checkpoint was chosen on those",
                    )

    @property
    def seeds(self) -> range:
        """Of the scenes that are scored."""
        return range(self.seed, self.seed + self.episodes)

    @property
    def filling_seeds(self) -> range:
        """Of the scenes the pool is filled from."""
        start = self.seed + FILLING_OFFSET
        return range(start, start + self.episodes)
