"""A run: what the exception monitor would have seen during one task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ams_ros.exception.plan import MotionPlan
from ams_ros.types import JointSample, WrenchSample


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A sample that arrived at `arrival`, s on the clock of whoever recorded it."""

    sample: JointSample | WrenchSample
    arrival: float


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """A goal came under execution at `stamp`, s on the robot's clock; plan: None when it was not announced."""

    plan: MotionPlan | None
    stamp: float


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing is under execution any more since `stamp`, s on the robot's clock."""

    stamp: float


RunEvent: TypeAlias = Arrived | Begun | Ended


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One task. name: for tables and complaints. events: in the order they came."""

    name: str
    events: Sequence[RunEvent]
