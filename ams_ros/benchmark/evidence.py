"""How right a robot is about its own successes: jobs it saw done, against those the simulator saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvidenceTally:
    """right: jobs seen done that were. false: seen done that were not. missed: done and not seen."""

    right: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: EvidenceTally) -> EvidenceTally:
        """Both together."""
        return EvidenceTally(self.right + other.right, self.false + other.false, self.missed + other.missed)


def moments(timeline: Sequence[tuple[float, int]], lasting: float) -> tuple[float, ...]:
    """When each job was truly done.

    timeline: (time, objects that are where they belong), in order, from the task's begin; time in steps or in seconds.
    A job is done when one more object than ever before is in place and that lasts for `lasting`, or until the end.
    """
    if not timeline:
        return ()
    found: list[float] = []
    most = timeline[0][1]
    end = timeline[-1][0]
    for wanted in range(most + 1, max(count for _, count in timeline) + 1):
        since: float | None = None
        for time, count in timeline:
            if count < wanted:
                since = None
            elif since is None:
                since = time
            if since is not None and (time - since >= lasting or time == end):
                found.append(since)
                break
    return tuple(found)


def tally(seen: Sequence[float], done: Sequence[float], early: float, late: float) -> EvidenceTally:
    """Match jobs seen with jobs done, each at most once, the earliest first; all times on one clock.

    A job that was done at t may be seen from t - early, as what is let go of takes time to come to rest, to t + late.
    """
    left = sorted(done)
    right = 0
    for time in sorted(seen):
        match = next((moment for moment in left if moment - early <= time <= moment + late), None)
        if match is not None:
            left.remove(match)
            right += 1
    return EvidenceTally(right, len(seen) - right, len(left))
