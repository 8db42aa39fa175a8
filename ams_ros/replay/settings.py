"""How attempts follow each other, and how the arm gets back to where each of them begins."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ams_ros.errors import ConfigurationError
from ams_ros.types import GuidanceVariant


@dataclass(frozen=True, slots=True)
class ReturnSettings:
    """Of the way back to the start pose.

    scale: of the profile's speed and acceleration limits. plan_timeout: s for finding a way. near: rad that every joint
    may be away from the start pose to count as there. tries: motions, interrupted ones among them, before giving up.
    """

    scale: float = 0.5
    plan_timeout: float = 3.0
    near: float = 0.05
    tries: int = 3

    def __post_init__(self) -> None:
        """Refuse what could never be met."""
        for key, most in (("scale", 1.0), ("plan_timeout", 60.0), ("near", 0.5)):
            value = getattr(self, key)
            if not 0.0 < value <= most:
                raise ConfigurationError(f"replay.return.{key}", value, f"above 0 and at most {most:g}")
        _check_count("return.tries", self.tries, 100)


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """Of the attempts of one task (spec row R3).

    start_time, variant, denoising: where and how the denoising of a guided slice starts, as in Guidance. warm: slices
    at the beginning of an attempt that are guided; guiding all of them hurts.
    tries: attempts in a row that may come to nothing before an instruction counts as exhausted, each guided by another
    success, the nearest first. unguided: how many of them may be from noise where there are fewer successes.
    homeward: slices in which the policy may go home by itself after a job, as long as it does.
    attempt_first: steps of an attempt before any succeeded in this task; later attempt_factor times the median of those
    that did, at least attempt_least. The median, as one that wandered about before it succeeded says little.
    """

    start_time: float = 0.5
    variant: GuidanceVariant = GuidanceVariant.LATENT
    denoising: int = 0
    warm: int = 2
    tries: int = 5
    unguided: int = 2
    homeward: int = 2
    attempt_first: int = 250
    attempt_least: int = 150
    attempt_factor: float = 1.75

    def __post_init__(self) -> None:
        """Refuse what would guide nothing, never end or end at once."""
        if not 0.0 < self.start_time <= 1.0:
            raise ConfigurationError("replay.start_time", self.start_time, "above 0 and at most 1")
        if not 0 <= self.denoising <= 1000:
            raise ConfigurationError("replay.denoising", self.denoising, "0..1000")
        for key, most in (("warm", 1000), ("tries", 1000), ("attempt_first", 10**6), ("attempt_least", 10**6)):
            _check_count(key, getattr(self, key), most)
        if not 0 <= self.homeward <= 100:
            raise ConfigurationError("replay.homeward", self.homeward, "a whole number of 0 to 100")
        if not 1 <= self.unguided <= self.tries:
            raise ConfigurationError("replay.unguided", self.unguided, f"1 to {self.tries}, the number of tries")
        if not (1.0 <= self.attempt_factor <= 100.0 and math.isfinite(self.attempt_factor)):
            raise ConfigurationError("replay.attempt_factor", self.attempt_factor, "1 to 100")

    def longest(self, succeeded: Sequence[int]) -> int:
        """Steps after which an attempt is cut off. succeeded: steps of each that succeeded in this task."""
        if not succeeded:
            return self.attempt_first
        return max(self.attempt_least, math.ceil(self.attempt_factor * statistics.median(succeeded)))


def _check_count(key: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ConfigurationError(f"replay.{key}", count, f"a whole number of 1 to {most}")
