"""Everything `ams bench reuse` found, and its JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ams_ros.benchmark.reuse.figures import CellFigures
from ams_ros.benchmark.reuse.overhead import OverheadFigures
from ams_ros.benchmark.reuse.request import ReuseRequest
from ams_ros.benchmark.reuse.stages import StageFigures


@dataclass(frozen=True, slots=True)
class Filling:
    """What the pool held for warm starts: whole direct episodes, labelled by the simulator's truth.

    seeds: first and last. bytes: of the exported file.
    """

    seeds: tuple[int, int]
    episodes: int
    succeeded: int
    contexts: int
    bytes: int

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form."""
        return {
            "seeds": list(self.seeds),
            "episodes": self.episodes,
            "succeeded": self.succeeded,
            "contexts": self.contexts,
            "bytes": self.bytes,
        }


@dataclass(frozen=True, slots=True)
class ReuseBenchReport:
    """The three parts of the benchmark. stages: by the name of the model they were measured on."""

    request: ReuseRequest
    filling: Filling
    cells: tuple[CellFigures, ...]
    overhead: OverheadFigures
    stages: dict[str, StageFigures]

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form."""
        return {
            "policy": self.request.policy,
            "cap": self.request.cap,
            "quick": self.request.quick,
            "seeds": [self.request.seeds.start, self.request.seeds[-1]],
            "filling": self.filling.as_dictionary(),
            "cells": [cell.as_dictionary() for cell in self.cells],
            "nothing_to_reuse": self.overhead.as_dictionary(),
            "stages": {name: figures.as_dictionary() for name, figures in self.stages.items()},
        }
