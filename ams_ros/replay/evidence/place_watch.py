"""Evidence that something was brought to a place: grasped, carried, let go of over it (spec E2, grasp)."""

from __future__ import annotations

import math
from collections.abc import Callable

from ams_ros.recovery.surroundings import Place
from ams_ros.replay.evidence.grip import GripChange
from ams_ros.replay.task_description import PlaceEvidence
from ams_ros.types import Float64Array

_LOOK = 0.05
"""s between two looks at where the tip is while something is held: it cannot come back unseen in between."""


class PlaceWatch:
    """Follows what is held by where the tip is. Nothing is computed while nothing is held."""

    def __init__(self, evidence: PlaceEvidence, place: Place, tip: Callable[[Float64Array], Float64Array]) -> None:
        """place: the one the evidence names. tip: its place (3,) m in the base link at arm joints (dof,) rad."""
        self._evidence, self._place, self._tip = evidence, place, tip
        self.begin_anew()

    def begin_anew(self) -> None:
        """Nothing is held."""
        self._since, self._looked, self._carried = math.nan, -math.inf, 0.0
        self._from: tuple[float, float, float] = (math.nan,) * 3

    def take(self, stamp: float, arm: Float64Array, change: GripChange, since: float) -> str | None:
        """A sample: what became of the grip, and since when (s) something is held; the job's message if one is done."""
        if change is GripChange.RELEASED and not math.isnan(self._since):
            return self._released(stamp, arm)
        if math.isnan(since):
            self._since = math.nan
        elif since != self._since:
            self._since, self._looked, self._carried = since, stamp, 0.0
            self._from = self._where(arm)
        elif stamp - self._looked >= _LOOK:
            self._looked = stamp
            self._carried = max(self._carried, math.dist(self._where(arm), self._from))
        return None

    def _released(self, stamp: float, arm: Float64Array) -> str | None:
        held, x_y_z = stamp - self._since, self._where(arm)
        carried = max(self._carried, math.dist(x_y_z, self._from))
        self._since = math.nan
        if held < self._evidence.held or carried < self._evidence.carried or not self._place.holds(*x_y_z):
            return None
        return f"what was held for {held:.1f} s and carried {carried:.2f} m was let go of over the {self._place.name}"

    def _where(self, arm: Float64Array) -> tuple[float, float, float]:
        x, y, z = self._tip(arm).tolist()
        return x, y, z
