"""What becomes of the times of many reactions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ams_ros.benchmark.interleaved import percentile

MILLI, MICRO = 1e-3, 1e-6


@dataclass(frozen=True, slots=True)
class Reaction:
    """One stop, s on one steady clock.

    published: the offending sample was handed to the transport. canceled: the controller's process got the cancel.
    answered: its answer had come back; nan where nobody looked. rested: every joint was slow from then on.
    """

    published: float
    canceled: float
    rested: float
    answered: float = math.nan


@dataclass(frozen=True, slots=True)
class Watch:
    """What the monitor's side adds for one rate.

    detection: (n,) s from the arrival of the offending sample to the request having been sent. rule_us: (m,) of all
    samples that led to no stop. sent, checked: samples that left for the monitor, and those its rules saw. others:
    rules that stopped the arm uncalled for, and trials without an end. unproven: stops of which the monitor did not
    see that the arm came to rest. cpu: share of a core.
    """

    detection: Sequence[float]
    rule_us: Sequence[float]
    sent: int
    checked: int
    others: Sequence[str]
    unproven: int
    cpu: float


def rate_figures(rate: float, monitored: Sequence[Reaction], bare: Sequence[Reaction], watch: Watch) -> dict[str, Any]:
    """The figures of one rate (Hz), by their names in the JSON form; times in the unit of the name."""
    reaction, control = _times(monitored, "canceled"), _times(bare, "canceled")
    answered = _times(monitored, "answered")
    return {
        "rate": rate,
        "samples": len(monitored),
        "bare_samples": len(bare),
        "unchecked": watch.sent - watch.checked,
        "checked": watch.checked,
        "reaction_ms_p50": percentile(reaction, 50, MILLI),
        "reaction_ms_p99": percentile(reaction, 99, MILLI),
        "reaction_ms_max": percentile(reaction, 100, MILLI),
        "bare_ms_p50": percentile(control, 50, MILLI),
        "bare_ms_p99": percentile(control, 99, MILLI),
        "bare_ms_max": percentile(control, 100, MILLI),
        "ratio_p50": percentile(reaction, 50, 1.0) / percentile(control, 50, 1.0),
        "ratio_p99": percentile(reaction, 99, 1.0) / percentile(control, 99, 1.0),
        "answered_ms_p50": percentile(answered, 50, MILLI),
        "answered_ms_p99": percentile(answered, 99, MILLI),
        "detection_ms_p50": percentile(np.array(watch.detection), 50, MILLI),
        "detection_ms_p99": percentile(np.array(watch.detection), 99, MILLI),
        "stopped_ms_p50": percentile(_times(monitored, "rested"), 50, MILLI),
        "stopped_ms_p99": percentile(_times(monitored, "rested"), 99, MILLI),
        "bare_stopped_ms_p99": percentile(_times(bare, "rested"), 99, MILLI),
        "rule_us_p50": float(np.percentile(watch.rule_us, 50)),
        "rule_us_p99": float(np.percentile(watch.rule_us, 99)),
        "cpu_percent": 100.0 * watch.cpu,
        "unproven": watch.unproven,
        "other_stops": list(watch.others),
    }


def worst(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, float]:
    """What the goals are about, over all rates of one pass; name: put before each key.

    CPU time at 250 Hz, or at the lowest rate above it where that was not measured, or else at the highest.
    """
    busy = min((row for row in rows if row["rate"] >= 250.0), key=lambda row: row["rate"], default=rows[-1])
    return {
        f"{name}ratio_p99": max(row["ratio_p99"] for row in rows),
        f"{name}unchecked": sum(row["unchecked"] for row in rows),
        f"{name}rule_us_p99": max(row["rule_us_p99"] for row in rows),
        f"{name}cpu_percent": busy["cpu_percent"],
    }


def _times(reactions: Sequence[Reaction], moment: str) -> Any:
    return np.array([getattr(each, moment) - each.published for each in reactions])
