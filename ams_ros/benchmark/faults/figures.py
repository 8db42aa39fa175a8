"""What the trials of one fault, and those without a fault, come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ams_ros.benchmark.confidence import wilson_interval
from ams_ros.benchmark.faults.cases import FaultCase
from ams_ros.benchmark.faults.trial import Alarm, CleanTrial, FaultTrial, SeenStop, TaskEnd


@dataclass(frozen=True, slots=True)
class FaultFigures:
    """All trials of one fault."""

    case: FaultCase
    trials: tuple[FaultTrial, ...]

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form. Each share is of those counted just before it, as `of` says."""
        shown = [trial for trial in self.trials if trial.effect is not None]
        caught = [(trial, trial.caught) for trial in shown if trial.caught is not None]
        right = [stop for _, stop in caught if stop.exception.kind in self.case.kinds]
        everyone = len(self.trials)
        return {
            "fault": self.case.name,
            "seconds": self.case.seconds,
            "right_kinds": sorted(kind.name.lower() for kind in self.case.kinds),
            "reason": self.case.reason,
            "episodes": everyone,
            "injected": sum(trial.injected for trial in self.trials),
            "took_effect": len(shown),
            "detected": share(len(caught), len(shown)),
            "kind_right": share(len(right), len(caught)),
            "stopped": share(sum(stop.proven for _, stop in caught), len(caught)),
            "truly_at_rest": share(sum(stop.rested is not None for _, stop in caught), len(caught)),
            "seconds_to_see": spread(trial.seconds_to_see for trial, _ in caught),
            "seconds_to_stop": spread(trial.seconds_to_stop for trial, _ in caught),
            "recovered": share(sum(trial.recovered for trial, _ in caught), len(caught)),
            "held_for_a_person": share(sum(trial.held for trial, _ in caught), len(caught)),
            "success_with": share(sum(trial.guarded.success for trial in self.trials), everyone),
            "success_without": share(sum(trial.direct.success for trial in self.trials), everyone),
            "success_of_undetected": share(
                sum(trial.guarded.success for trial in shown if trial.caught is None), len(shown) - len(caught)
            ),
            "kinds": dict(Counter(stop.exception.kind.name.lower() for _, stop in caught)),
            "rules": dict(Counter(stop.exception.rule for _, stop in caught)),
            "rungs": dict(Counter(stop.exception.stage.value for _, stop in caught)),
            "exceptions": sum(trial.exceptions for trial in self.trials),
            "early_exceptions": sum(trial.early for trial in self.trials),
            "per_episode": [_fault_trial(trial) for trial in self.trials],
        }


@dataclass(frozen=True, slots=True)
class CleanFigures:
    """All trials without a fault."""

    trials: tuple[CleanTrial, ...]

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form."""
        count = len(self.trials)
        hours = sum(trial.guarded.seconds for trial in self.trials) / 3600.0
        alarms = [alarm for trial in self.trials for alarm in trial.alarms]
        false = [alarm for alarm in alarms if not alarm.true]
        with_guard = sum(trial.guarded.success for trial in self.trials)
        without = sum(trial.direct.success for trial in self.trials)
        return {
            "episodes": count,
            "hours": hours,
            "exceptions": len(alarms),
            "true_exceptions": dict(Counter(_in_short(alarm.true) for alarm in alarms if alarm.true)),
            "false_alarms": len(false),
            "false_alarms_per_hour": len(false) / hours if hours else None,
            "rules": dict(Counter(alarm.stop.exception.rule for alarm in alarms)),
            "success_with": share(with_guard, count),
            "success_without": share(without, count),
            "points_lost": 100.0 * (without - with_guard) / count if count else None,
            "given_up": sum(trial.guarded.outcome == "failed" for trial in self.trials),
            "per_episode": [_clean_trial(trial) for trial in self.trials],
        }


def share(count: int, of: int) -> dict[str, Any]:
    """How many of how many, with the 95 % Wilson interval; none for none."""
    return {"count": count, "of": of, "ci95": list(wilson_interval(count, of)) if of else None}


def spread(seconds: Iterable[float | None]) -> dict[str, float] | None:
    """Median and 99th percentile, s, of those known; None when none is."""
    known: Sequence[float] = [each for each in seconds if each is not None]
    if not known:
        return None
    return {"median": float(np.median(known)), "p99": float(np.percentile(known, 99)), "max": max(known)}


def _fault_trial(trial: FaultTrial) -> dict[str, Any]:
    return {
        "seed": trial.seed,
        "target": trial.fault.target,
        "onset": trial.fault.onset,
        "took_effect": trial.effect is not None,
        "exceptions": trial.exceptions,
        "early": trial.early,
        "caught": None if trial.caught is None else _stop(trial.caught),
        "seconds_to_see": trial.seconds_to_see,
        "seconds_to_stop": trial.seconds_to_stop,
        "recovered": trial.recovered,
        "held_for_a_person": trial.held,
        "with": _end(trial.guarded),
        "without": _end(trial.direct),
    }


def _clean_trial(trial: CleanTrial) -> dict[str, Any]:
    return {
        "seed": trial.seed,
        "alarms": [_alarm(alarm) for alarm in trial.alarms],
        "with": _end(trial.guarded),
        "without": _end(trial.direct),
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {"true": alarm.true, **_stop(alarm.stop)}


def _stop(stop: SeenStop) -> dict[str, Any]:
    exception = stop.exception
    return {
        "rule": exception.rule,
        "kind": exception.kind.name.lower(),
        "severity": exception.severity.value,
        "message": exception.message,
        "rung": exception.stage.value,
        "stopped": exception.stopped,
        "truly_at_rest": stop.rested is not None,
    }


def _end(end: TaskEnd) -> dict[str, Any]:
    return {
        "success": end.success,
        "outcome": end.outcome,
        "message": end.message,
        "steps": end.steps,
        "seconds": end.seconds,
    }


def _in_short(reason: str) -> str:
    """Without the number in it, so that alike reasons count together."""
    return reason.partition(" with up to ")[0]
