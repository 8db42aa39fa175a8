"""Atoms of motion: changes of the robot that each concern one degree of freedom (paper, section 3.3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ams_ros.types import Float64Array


@dataclass(frozen=True, slots=True)
class JointAtom:
    """Joint number `joint` of the profile turned by `displacement` rad."""

    joint: int
    displacement: float


@dataclass(frozen=True, slots=True)
class TipAtom:
    """The tip moved by `displacement` m along an axis of the base link: 0 x, 1 y, 2 z."""

    axis: int
    displacement: float


Atom: TypeAlias = JointAtom | TipAtom


@dataclass(frozen=True, slots=True, eq=False)
class Displacement:
    """What atoms add up to: joints (dof,) rad, and tip (3,) m along the axes of the base link.

    Both describe the same motion, once in each space; neither is the other's complement.
    """

    joints: Float64Array
    tip: Float64Array


def compose(atoms: Iterable[Atom], dof: int) -> Displacement:
    """Add atoms up, each along its degree of freedom."""
    joints, tip = np.zeros(dof), np.zeros(3)
    for atom in atoms:
        if isinstance(atom, JointAtom):
            joints[atom.joint] += atom.displacement
        else:
            tip[atom.axis] += atom.displacement
    return Displacement(joints, tip)


def consolidate(atoms: Iterable[Atom], dof: int) -> list[Atom]:
    """The fewest atoms with the same composition: at most one for each degree of freedom, none that cancel out."""
    whole = compose(atoms, dof)
    joints: list[Atom] = [JointAtom(joint, sum_) for joint, sum_ in enumerate(whole.joints.tolist()) if sum_]
    return joints + [TipAtom(axis, sum_) for axis, sum_ in enumerate(whole.tip.tolist()) if sum_]
