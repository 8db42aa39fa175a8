"""Evidence that something was brought to a place: grasped, carried, let go of over it (spec E2, grasp)."""

from __future__ import annotations

import math
from collections.abc import Callable

from ams_ros.recovery.surroundings import Place
from ams_ros.replay.evidence.grip import Grip, GripChange
from ams_ros.replay.task_description import PlaceEvidence
from ams_ros.types import Float64Array

_LOOK = 0.05
"""s between two looks at where the tip is while something is held: it cannot come back unseen in between."""

_GRAVITY = 9.81

_SHORTEST = 0.01
"""s; fingers do not open within less, whatever two samples say."""


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
        self._tight: Float64Array | None = None
        self._tight_at = math.nan

    def take(self, stamp: float, arm: Float64Array, grip: Grip, change: GripChange) -> str | None:
        """A sample, and what it made of the grip; the job's message if one is done."""
        if change is GripChange.RELEASED and self._tight is not None:
            message = self._released(stamp, self._tight, arm)
            self.begin_anew()
            return message
        if not grip.holding:
            self._tight = None
            return None
        if grip.since != self._since:
            self._since, self._looked, self._carried = grip.since, stamp, 0.0
            self._from, self._tight, self._tight_at = self._where(arm), arm, stamp
        if grip.tight:
            # Samples are never written to, so the array may be kept.
            self._tight, self._tight_at = arm, stamp
        if stamp - self._looked >= _LOOK:
            self._looked = stamp
            self._carried = max(self._carried, math.dist(self._where(arm), self._from))
        return None

    def _released(self, stamp: float, tight: Float64Array, arm: Float64Array) -> str | None:
        """The fingers opened; tight: where the arm was when they last held firmly, as it may move on while they open.

        What is let go of in motion flies on as the tip moved while they opened: it must also come down in the place.
        """
        held, x_y_z = stamp - self._since, self._where(tight)
        carried = max(self._carried, math.dist(x_y_z, self._from))
        if held < self._evidence.held or carried < self._evidence.carried or not self._place.holds(*x_y_z):
            return None
        centre, opened = self._place.centre, self._where(arm)
        fall = math.sqrt(2.0 * (x_y_z[2] - centre[2]) / _GRAVITY)
        flown = fall / max(stamp - self._tight_at, _SHORTEST)
        x, y = (start + (end - start) * flown for start, end in zip(x_y_z[:2], opened[:2], strict=True))
        if math.hypot(x - centre[0], y - centre[1]) > self._place.radius:
            return None
        return f"what was held for {held:.1f} s and carried {carried:.2f} m was let go of over the {self._place.name}"

    def _where(self, arm: Float64Array) -> tuple[float, float, float]:
        x, y, z = self._tip(arm).tolist()
        return x, y, z
