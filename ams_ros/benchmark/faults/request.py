"""What `ams bench faults` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.errors import ConfigurationError
from ams_ros.simulation.faults.fault import FAULTS

QUICK_FAULTS = ("push", "slippery", "drop_joint_states", "ignore_cancel")
"""Something from outside, an action without effect, a sensor that dies, a driver that does not obey."""


@dataclass(frozen=True, slots=True)
class FaultsRequest:
    """What to measure.

    policy: name or folder of the checkpoint. faults: which are injected. episodes: tasks per fault. clean: tasks
    without a fault. seed, clean_seed: of the first scene with and without faults; the others follow. cap: step budget
    of every task. workers: processes.
    """

    policy: str
    faults: tuple[str, ...]
    episodes: int
    clean: int
    seed: int
    clean_seed: int
    workers: int
    cap: int = 1500

    def __post_init__(self) -> None:
        """Refuse what cannot be measured, before any process is started."""
        for name in self.faults:
            if name not in FAULTS:
                raise ConfigurationError("fault", name, ", ".join(FAULTS))
        if len(set(self.faults)) != len(self.faults):
            raise ConfigurationError("fault", ", ".join(self.faults), "each one once")
        for key in ("episodes", "workers", "cap"):
            if getattr(self, key) < 1:
                raise ConfigurationError(key, getattr(self, key), "an integer of at least 1")
        for key in ("clean", "seed", "clean_seed"):
            if getattr(self, key) < 0:
                raise ConfigurationError(key.replace("_", "-"), getattr(self, key), "an integer of at least 0")

    @property
    def seeds(self) -> range:
        """Of the scenes with a fault; every fault gets the same ones."""
        return range(self.seed, self.seed + self.episodes)

    @property
    def clean_seeds(self) -> range:
        """Of the scenes without one."""
        return range(self.clean_seed, self.clean_seed + self.clean)
