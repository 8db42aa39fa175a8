"""What the robot is told to do next, as those who watch it need to know it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ams_ros.exception.sub_slices import cut_into_sub_slices
from ams_ros.robot.stretches import Stretch
from ams_ros.types import ActionSlice, Float64Array


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


def task_plan(
    goal: str,
    action_slice: ActionSlice,
    stretch: Stretch,
    *,
    number: int,
    first_step: int,
    begin: Float64Array,
    gripper: float | None,
) -> MotionPlan:
    """The plan of a stretch of slice `number` that begins with its step `first_step`.

    begin: (dof,) rad, where the joints are. gripper: the finger target before it, m, None when there was none.
    """
    before = math.nan if gripper is None else gripper
    return MotionPlan(
        goal=goal,
        context_id=action_slice.context_id,
        slice=number,
        first_step=first_step,
        joints=stretch.joints,
        gripper=before if stretch.gripper is None else stretch.gripper,
        previous_gripper=before,
        period=action_slice.period,
        sub_slices=cut_into_sub_slices(stretch.joints, begin, action_slice.period),
    )


def recovery_plan(goal: str, joints: Float64Array, period: float, begin: Float64Array) -> MotionPlan:
    """The plan of a recovery motion. joints: (steps, dof) rad, `period` s apart. begin: (dof,) rad, where they are."""
    ends = cut_into_sub_slices(joints, begin, period)
    return MotionPlan(goal, "", -1, 0, joints, math.nan, math.nan, period, ends, Purpose.RECOVERY)
