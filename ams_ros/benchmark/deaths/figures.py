"""What becomes of the times of many deaths."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ams_ros.benchmark.interleaved import percentile
from ams_ros.benchmark.pool.goals import Goal

MILLI = 1e-3
LIMIT_MS = 250.0
STOPPING = ("monitor", "supervisor", "inference")
"""The cases in which the arm has to be stopped, and somebody is left to do it."""

GOALS = (
    Goal("rest_ms_max", "from the kill to the arm at rest, longest", LIMIT_MS, "ms"),
    Goal("within_250_ms", "stops within 250 ms", 1.0, "of all", at_most=False),
)


@dataclass(frozen=True, slots=True)
class Death:
    """One kill during a motion; s from the kill.

    canceled: the controller was seen to cancel the motion; nan where the motion ended by itself before. rested: the
    last moment the arm was seen moving. outcome: of the task.
    """

    canceled: float
    rested: float
    outcome: str


def death_figures(deaths: Sequence[Death], stops: bool = True) -> dict[str, Any]:
    """The figures of one case, by their names in the JSON form; times in ms.

    stops: whether the arm is expected to come to rest; None stands for what a death that stops nothing does not have.
    """
    rested = np.array([each.rested for each in deaths])
    canceled = np.array([each.canceled for each in deaths if not math.isnan(each.canceled)])
    figures: dict[str, Any] = {"kills": len(deaths), "canceled": len(canceled)}
    for name, times in (("canceled", canceled), ("rest", rested)):
        for percent, word in ((50, "p50"), (99, "p99"), (100, "max")):
            figures[f"{name}_ms_{word}"] = percentile(times, percent, MILLI) if stops and len(times) else None
    figures["within_250_ms"] = float(np.mean(rested <= LIMIT_MS * MILLI)) if stops else None
    figures["outcomes"] = dict(Counter(each.outcome for each in deaths))
    return figures


def overall(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """What the goals are about, over the cases in which the arm has to be stopped; empty when none was measured."""
    judged = [rows[case] for case in STOPPING if case in rows]
    if not judged:
        return {}
    return {
        "rest_ms_max": max(row["rest_ms_max"] for row in judged),
        "within_250_ms": min(row["within_250_ms"] for row in judged),
    }
