"""One thing `ams doctor` looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum


class Health(Enum):
    """GOOD; NOTE is worth knowing but breaks nothing; BAD must be mended."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, what was seen, and the mend (empty when nothing is to be done)."""

    subject: str
    health: Health
    seen: str
    mend: str = ""

    def as_dictionary(self) -> dict[str, str]:
        """The JSON form."""
        return {**asdict(self), "health": self.health.value}


def good(subject: str, seen: str) -> Finding:
    """Nothing to be done."""
    return Finding(subject, Health.GOOD, seen)


def note(subject: str, seen: str, mend: str = "") -> Finding:
    """Worth knowing."""
    return Finding(subject, Health.NOTE, seen, mend)


def bad(subject: str, seen: str, mend: str) -> Finding:
    """Must be mended."""
    return Finding(subject, Health.BAD, seen, mend)
