"""What `ams bench pool` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.errors import ConfigurationError

SMALLEST = 1000
"""Contexts at which growth begins; below, a pool's own fixed size would count as theirs."""


@dataclass(frozen=True, slots=True)
class PoolBenchRequest:
    """What to measure.

    contexts: in the filled pool, the point the goals are stated for. largest: where growth ends. quick: fewer rounds.
    """

    contexts: int = 100_000
    largest: int = 1_000_000
    policy: str = "cubes"
    seed: int = 0
    quick: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be measured before anything is."""
        for key, value in (("--contexts", self.contexts), ("--largest", self.largest)):
            if not SMALLEST < value <= 10_000_000:
                raise ConfigurationError(key, value, f"{SMALLEST + 1} to 10000000")
        if not 0 <= self.seed < 2**31:
            raise ConfigurationError("--seed", self.seed, "0 to 2147483647")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of contexts at which look-ups are measured, about two in each decade."""
        decades = (SMALLEST * factor * 10**power for power in range(5) for factor in (1, 3))
        return (*(size for size in decades if size < self.largest), self.largest)

    @property
    def repeats(self) -> int:
        """Episodes of the cubes task."""
        return 3 if self.quick else 10

    def few(self, rounds: int) -> int:
        """That many rounds, or a tenth of them."""
        return max(10, rounds // 10) if self.quick else rounds
