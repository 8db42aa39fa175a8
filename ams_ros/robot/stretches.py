"""Cutting a slice where the gripper's target changes, because arm and gripper have controllers of their own."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.types import ActionSlice, Float64Array

GRIPPER_STEP = 0.0005
"""A change of the finger target up to this much (m) is not worth a command of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Steps of a slice that share one gripper target.

    joints: (steps, dof) rad; row k is to be reached (k + 1) * period after the stretch begins.
    gripper: finger target (m) to command before the stretch begins, None when the fingers have it already.
    """

    joints: Float64Array
    gripper: float | None

    @property
    def steps(self) -> int:
        """How many steps, at least 1."""
        return len(self.joints)


def cut_into_stretches(action_slice: ActionSlice, commanded: float | None) -> tuple[Stretch, ...]:
    """The slice as stretches, in order; together they hold every row once.

    commanded: the finger target last commanded (m), None when there was none yet.
    """
    stretches: list[Stretch] = []
    begin, command = 0, None
    for step, target in enumerate(map(float, action_slice.gripper)):
        if commanded is not None and abs(target - commanded) <= GRIPPER_STEP:
            continue
        if step > begin:
            stretches.append(Stretch(action_slice.joints[begin:step], command))
        begin, command, commanded = step, target, target
    stretches.append(Stretch(action_slice.joints[begin:], command))
    return tuple(stretches)
