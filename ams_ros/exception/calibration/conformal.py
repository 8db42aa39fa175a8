"""Split conformal prediction: a limit that the next good run passes with a stated probability.

Source: Lei, G'Sell, Rinaldo, Tibshirani, Wasserman 2018, Distribution-Free Predictive Inference for Regression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROOM = 1.2
"""Factor on the largest value seen where there are too few runs for the rate that was asked for."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit. rate: probability that the next run, exchangeable with those seen, lies above `value`, at most.

    enough: whether there were runs enough for the rate asked for; else `value` is ROOM times the largest one seen, and
    `rate` is what that largest one itself is good for.
    """

    value: float
    rate: float
    enough: bool


def upper_bound(seen: Sequence[float], rate: float) -> Bound:
    """The ceil((n + 1)(1 - rate))-th smallest of the n values seen, at least one; rate between 0 and 1."""
    ordered = sorted(seen)
    count = len(ordered)
    # Without the small share, 1 - 0.1 times 10 would be more than 9.
    rank = math.ceil((count + 1) * (1.0 - rate) - 1e-9)
    if rank > count:
        return Bound(ROOM * ordered[-1], 1.0 / (count + 1), enough=False)
    return Bound(ordered[rank - 1], rate, enough=True)


def runs_needed(rate: float) -> int:
    """How many runs a bound with that rate needs."""
    return math.ceil(1.0 / rate - 1.0 - 1e-9)
