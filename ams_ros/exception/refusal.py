"""A sample that cannot be used, and the rules that speak about it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from ams_ros.exception.rule import Rule, Violation
from ams_ros.exception.state import RobotState
from ams_ros.types import Evidence


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a sample was not taken. backwards: s by which its stamp lies before that of the sample before it."""

    message: str
    evidence: tuple[Evidence, ...] = ()
    backwards: float = 0.0


REPEATED = Refusal("the stamp is that of the sample before")
"""Not an error of its own: some drivers send their last sample again. It is no sign of life either."""


class RefusalRule(Rule):
    """A rule that also hears of the samples that were refused."""

    @abstractmethod
    def refused(self, state: RobotState, refusal: Refusal) -> Violation | None:
        """A sample was refused; `state` is still that of the sample before."""
