"""Everything `ams bench faults` found, and its JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ams_ros.benchmark.faults.durations import DurationFigures
from ams_ros.benchmark.faults.figures import CleanFigures, FaultFigures
from ams_ros.benchmark.faults.request import FaultsRequest


@dataclass(frozen=True, slots=True)
class FaultsReport:
    """Its three parts."""

    request: FaultsRequest
    faults: tuple[FaultFigures, ...]
    clean: CleanFigures | None
    durations: DurationFigures

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form."""
        request = self.request
        return {
            "policy": request.policy,
            "cap": request.cap,
            "seed": request.seed,
            "clean_seed": request.clean_seed,
            "faults": [row.as_dictionary() for row in self.faults],
            "clean": None if self.clean is None else self.clean.as_dictionary(),
            "sub_slice_checks": self.durations.as_dictionary(),
        }
