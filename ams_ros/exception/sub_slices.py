"""Cutting a plan into sub-slices, at whose ends it is asked whether the motion took effect (paper, section 3.3)."""

from __future__ import annotations

import numpy as np

from ams_ros.types import Float64Array

SHORTEST, LONGEST = 2, 5
"""Steps of a sub-slice (spec row E3)."""

MOTION = 0.15
"""rad of the joint that moves most in each step, summed over the steps: past it a sub-slice ends."""

DURATION = 0.5
"""s after which a sub-slice ends whatever it moves, so that slow steps are not left unchecked."""


def cut_into_sub_slices(joints: Float64Array, begin: Float64Array, period: float) -> tuple[int, ...]:
    """The number of steps after which each sub-slice ends, rising, the last one the number of steps.

    joints: (steps, dof) rad, row k is to be reached (k + 1) * period s after the begin. begin: (dof,) rad, where they
    are then. The larger the motion the shorter the sub-slices, 2 to 5 steps each; a plan of one step is one of its own.
    """
    motion = np.abs(np.diff(joints, axis=0, prepend=begin[None])).max(axis=1).tolist()
    ends, first, moved = [], 0, 0.0
    for step, way in enumerate(motion, start=1):
        moved += way
        steps = step - first
        if steps >= SHORTEST and (moved >= MOTION or steps * period >= DURATION or steps == LONGEST):
            ends.append(step)
            first, moved = step, 0.0
    if not ends or ends[-1] < len(motion):
        ends.append(len(motion))
    return tuple(_without_single_step(ends))


def _without_single_step(ends: list[int]) -> list[int]:
    """Join a last sub-slice of one step to the one before it, or let that one give it a step."""
    if len(ends) < 2 or ends[-1] - ends[-2] >= SHORTEST:
        return ends
    before = [0, *ends][-3]
    if ends[-1] - before <= LONGEST:
        return [*ends[:-2], ends[-1]]
    return [*ends[:-2], ends[-2] - 1, ends[-1]]
