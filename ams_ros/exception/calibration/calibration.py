"""From the scores of runs to thresholds, and to what they are worth on runs they were not learned from."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from ams_ros.errors import ConfigurationError
from ams_ros.exception.calibration.conformal import runs_needed, upper_bound
from ams_ros.exception.calibration.replay import RunScore
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.settings import limit_of, thresholds
from ams_ros.exception.threshold_file import RuleSettings, changed


@dataclass(frozen=True, slots=True)
class Learned:
    """One threshold. before: what it was. rate: of false alarms by it per good run, at most.

    enough: whether there were runs enough for the rate asked for; needed: how many that takes.
    clipped: whether it had to be moved into the allowed range.
    """

    rule: str
    threshold: str
    unit: str
    before: float | tuple[float, ...]
    value: float
    rate: float
    enough: bool
    needed: int
    clipped: bool


@dataclass(frozen=True, slots=True)
class RuleTally:
    """False alarms on held-out good runs, and failures missed, of one rule; rule "any": of all together."""

    rule: str
    false_alarms: int
    missed: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learned from `runs` good runs, and how it does on others. silent: what was not learned, and why."""

    runs: int
    held_out: int
    failures: int
    learned: tuple[Learned, ...]
    silent: dict[str, str]
    table: tuple[RuleTally, ...]

    def rules(self) -> dict[str, dict[str, float]]:
        """What was learned in the form of the thresholds' file."""
        grouped = itertools.groupby(self.learned, key=lambda each: each.rule)
        return {rule: {each.threshold: each.value for each in group} for rule, group in grouped}

    def applied(self, settings: RuleSettings) -> RuleSettings:
        """Settings with what was learned."""
        for rule, values in self.rules().items():
            settings = changed(settings, rule, values)
        return settings


def calibrate(
    good: Sequence[RunScore],
    held_out: Sequence[RunScore],
    failures: Sequence[RunScore],
    rules: RuleSettings,
    rate: float,
) -> Calibration:
    """Learn from `good`; judge on `held_out` and `failures`.

    rate: of false alarms of each rule per good run, at most; a rule with several thresholds shares it among them. Rules
    that run together may add up. Raises ConfigurationError without a good run.
    """
    if not good:
        raise ConfigurationError("good runs", 0, "at least 1 to learn from")
    learned: list[Learned] = []
    silent: dict[str, str] = {}
    keys = dict.fromkeys(key for score in good for key in score.critical)
    for rule, group in itertools.groupby(keys, key=lambda key: key[0]):
        names = [name for _, name in group]
        for name in names:
            seen = [score.critical.get((rule, name), 0.0) for score in good]
            if max(seen) > 0.0:
                learned.append(_learn(rule, name, seen, rules, rate / len(names)))
            else:
                silent[f"{rule}.{name}"] = "nothing in these runs is ever compared with it for long enough"
    tallies = _table(learned, good, held_out, failures)
    return Calibration(len(good), len(held_out), len(failures), tuple(learned), silent, tallies)


def split(runs: Sequence[RunScore], held_out: float, seed: int) -> tuple[list[RunScore], list[RunScore]]:
    """Runs to learn from and runs held out, that share of them, drawn with `seed`; both in the order given."""
    back = set(random.Random(seed).sample(range(len(runs)), min(round(len(runs) * held_out), max(len(runs) - 1, 0))))
    chosen = [run for place, run in enumerate(runs) if place not in back]
    return chosen, [run for place, run in enumerate(runs) if place in back]


def _learn(rule: str, name: str, seen: Sequence[float], rules: RuleSettings, rate: float) -> Learned:
    declared = next(each for each in thresholds(RULES[rule].Settings) if each.name == name)
    known, bound = limit_of(declared), upper_bound(seen, rate)
    value = _rounded_up(bound.value) if math.isfinite(bound.value) else bound.value
    allowed = min(max(value, known.minimum), known.maximum)
    before = getattr(rules[rule].thresholds, name)
    return Learned(
        rule, name, known.unit, before, allowed, bound.rate, bound.enough, runs_needed(rate), allowed != value
    )


def _rounded_up(value: float) -> float:
    """To four digits, upwards so that no run seen crosses it for that."""
    if value <= 0.0:
        return value
    step = 10.0 ** (math.floor(math.log10(value)) - 3)
    return float(f"{math.ceil(value / step) * step:.12g}")


def _table(
    learned: Sequence[Learned], good: Sequence[RunScore], held_out: Sequence[RunScore], failures: Sequence[RunScore]
) -> tuple[RuleTally, ...]:
    alarming = [_alarms(learned, score) for score in held_out]
    noticed = [_alarms(learned, score) for score in failures]
    others = frozenset[str]().union(*alarming, *noticed)
    names = [rule for rule in RULES if rule in others or any(each.rule == rule for each in learned)]
    tallies = [
        RuleTally(rule, sum(rule in found for found in alarming), sum(rule not in found for found in noticed))
        for rule in names
    ]
    together = RuleTally("any", sum(map(bool, alarming)), sum(not found for found in noticed))
    return (*tallies, together)


def _alarms(learned: Sequence[Learned], score: RunScore) -> frozenset[str]:
    crossed = (each.rule for each in learned if score.critical.get((each.rule, each.threshold), 0.0) > each.value)
    return score.alarms | frozenset(crossed)
