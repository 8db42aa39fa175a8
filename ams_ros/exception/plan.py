"""What the robot is told to do next, as those who watch it need to know it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ams_ros.types import Float64Array


class Purpose(Enum):
    """Why the robot moves. A recovery is watched at reduced thresholds and may run while a stop is in force."""

    TASK = "task"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True, eq=False)
class MotionPlan:
    """One goal for the arm's controller: some steps of a slice that share a gripper target, or a recovery motion.

    goal: hex id of the goal. context_id, slice: the slice it belongs to; empty and -1 for a recovery.
    first_step: number of its first step in the slice. joints: (steps, dof) rad, row k is to be reached
    (k + 1) * period s after the goal begins. gripper: finger target during these steps, m, NaN when there is none;
    previous_gripper: the one before, NaN when there was none; different values mean that the fingers move.
    sub_slices: the number of its steps after which each sub-slice ends, increasing, the last one equal to `steps`.
    """

    goal: str
    context_id: str
    slice: int
    first_step: int
    joints: Float64Array
    gripper: float
    previous_gripper: float
    period: float
    sub_slices: tuple[int, ...]
    purpose: Purpose = Purpose.TASK

    def __post_init__(self) -> None:
        """Refuse a plan whose parts do not fit together or that holds a joint target that is not finite."""
        if self.joints.ndim != 2 or not len(self.joints) or not np.isfinite(self.joints).all():
            raise ValueError(f"motion plan: joints {self.joints.shape}, expected (steps, dof) finite numbers")
        if not (self.period > 0.0 and np.isfinite(self.period)):
            raise ValueError(f"motion plan: period {self.period} s, expected more than 0")
        ends = (0, *self.sub_slices)
        if ends[-1] != self.steps or any(a >= b for a, b in itertools.pairwise(ends)):
            raise ValueError(f"motion plan: sub-slices end at {self.sub_slices}, expected rising to {self.steps}")

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.joints)
