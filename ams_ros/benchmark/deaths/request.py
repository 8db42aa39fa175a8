"""What `ams bench deaths` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.errors import ConfigurationError

VICTIMS = {
    "monitor": ("exception_monitor",),
    "supervisor": ("replay_supervisor",),
    "inference": ("inference",),
    "pool": ("context_pool",),
    "both": ("exception_monitor", "replay_supervisor"),
}
"""The nodes that die together, by the name of the case; `both` leaves nobody who could stop the arm."""


@dataclass(frozen=True, slots=True)
class DeathsBenchRequest:
    """What to measure.

    cases: keys of VICTIMS. kills: of each case. policy: name or folder of the checkpoint.
    """

    cases: tuple[str, ...] = tuple(VICTIMS)
    kills: int = 20
    policy: str = "cubes"

    def __post_init__(self) -> None:
        """Refuse what cannot be measured before anything is."""
        for case in self.cases:
            if case not in VICTIMS:
                raise ConfigurationError("--case", case, ", ".join(VICTIMS))
        if not 1 <= self.kills <= 1000:
            raise ConfigurationError("--kills", self.kills, "1 to 1000")
