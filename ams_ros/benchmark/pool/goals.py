"""What the pool is to reach, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure that has a goal.

    key: in the figures. meaning: for people. limit: the goal; at_most: whether the figure must not exceed it, or must
    reach it.
    """

    key: str
    meaning: str
    limit: float
    unit: str
    at_most: bool = True

    def met(self, figures: Mapping[str, Any]) -> bool:
        """Whether the figure is as good as the goal."""
        value = float(figures[self.key])
        return value <= self.limit if self.at_most else value >= self.limit

    def row(self, figures: Mapping[str, Any]) -> tuple[str, str, str, str]:
        """Meaning, measured, goal and verdict, for a table."""
        sign = "<=" if self.at_most else ">="
        verdict = "met" if self.met(figures) else "missed"
        return self.meaning, f"{figures[self.key]:.4g} {self.unit}", f"{sign} {self.limit:g} {self.unit}", verdict


GOALS = (
    Goal("lookup_exact_us_p99", "exact look-up, 99th percentile", 20.0, "us"),
    Goal("lookup_similar_ms_p99", "five most similar, 99th percentile", 2.0, "ms"),
    Goal("growth_exact_to_logarithm", "exact look-up grows from 1,000 contexts", 1.0, "x the logarithm"),
    Goal("growth_similar_to_logarithm", "similarity look-up grows from 1,000 contexts", 1.0, "x the logarithm"),
    Goal("hash_gb_s", "hashing, one core", 1.0, "GB/s", at_most=False),
    Goal("put_ratio_to_memcpy", "put of a 15 MB prefix", 2.0, "x memcpy"),
    Goal("get_ratio_to_memcpy", "get of a 15 MB prefix", 2.0, "x memcpy"),
    Goal("service_ratio_p99", "service round trip, 99th percentile", 2.0, "x a bare one"),
    Goal("dedup_ratio", "ten repeats of the cubes task stored", 5.0, "x smaller", at_most=False),
    Goal("bytes_per_context_overhead", "memory per context besides its content", 2048.0, "B"),
)
