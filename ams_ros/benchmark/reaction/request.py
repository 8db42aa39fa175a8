"""What `ams bench reaction` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.errors import ConfigurationError

RATES = (100.0, 250.0, 500.0, 1000.0)


@dataclass(frozen=True, slots=True)
class ReactionBenchRequest:
    """What to measure.

    rates: of joint states and wrenches, Hz. samples: exceptions at each rate on a quiet machine. loaded: the same
    while inference runs, 0 for none. watched: s during which the monitor's CPU time is taken.
    """

    rates: tuple[float, ...] = RATES
    samples: int = 200
    loaded: int = 40
    watched: float = 3.0

    def __post_init__(self) -> None:
        """Refuse what cannot be measured before anything is."""
        for rate in self.rates:
            if not 50.0 <= rate <= 1000.0:
                raise ConfigurationError("--rate", rate, "50 to 1000")
        for key, value, least in (("--samples", self.samples, 1), ("--loaded", self.loaded, 0)):
            if not least <= value <= 10_000:
                raise ConfigurationError(key, value, f"{least} to 10000")
