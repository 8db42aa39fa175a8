"""The bounded record of where the arm has been, as atoms (paper, section 3.3.2, figure 8; spec row E6)."""

from __future__ import annotations

import itertools
import math
import threading
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ams_ros.errors import ConfigurationError, PlanningError
from ams_ros.recovery.atoms import Atom, Displacement, JointAtom, TipAtom, compose, consolidate
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.types import Float64Array, JointSample


class Mark(Enum):
    """A pose worth going back to.

    SLICE: where the slice under way began. GOOD: where the last slice that ran to its end began.
    """

    SLICE = "begin of the slice"
    GOOD = "last good pose"


@dataclass(frozen=True, slots=True)
class AtomSettings:
    """How finely and how much is recorded.

    joint, tip: size of the smallest atom, rad and m; smaller motions wait until they add up to one. Both are powers of
    two, which makes sums of atoms exact in floating point, in any order. capacity: atoms kept.
    """

    joint: float = 2.0**-10
    tip: float = 2.0**-11
    capacity: int = 4096

    def __post_init__(self) -> None:
        """Refuse sizes whose sums would be rounded, and a buffer too small to be consolidated."""
        for key, value in (("atoms.joint", self.joint), ("atoms.tip", self.tip)):
            if not 2.0**-20 <= value <= 2.0**-4 or math.frexp(value)[0] != 0.5:
                raise ConfigurationError(key, value, "a power of two from 2^-20 to 2^-4")
        if self.capacity < 256:
            raise ConfigurationError("atoms.capacity", self.capacity, "at least 256")


_JUMP_SPEED = 3.0
"""Times a joint's speed limit; and"""
_JUMP = 0.1
"""rad; a joint that moved by more than both together was not seen moving: nobody knows what lay between."""


class AtomBuffer:
    """Turns joint samples into atoms and says what they add up to since a mark.

    Invariant: the atoms since a mark add up, joint by joint, to where the arm is now minus where it was at the mark, to
    less than one smallest atom at either end; so do those of the tip, which is looked at when a joint makes an atom.
    Jitter below that size makes none. When the buffer is full, the older half is consolidated between marks, which
    leaves every sum exactly as it was.

    A sample the arm cannot have reached from the one before (it jumped, or time ran backwards) ends what is known: all
    atoms and marks are dropped, and the record begins anew there. Any thread may call any method.
    """

    def __init__(self, dynamics: ArmDynamics, settings: AtomSettings | None = None) -> None:
        """dynamics: of the arm, used in whatever thread calls; nobody else may use it."""
        self._dynamics, self._settings = dynamics, settings or AtomSettings()
        self._dof = len(dynamics.profile.joints)
        self._names, self._speed = dynamics.profile.joint_names, dynamics.profile.velocity
        self._lock = threading.Lock()
        self._stamp = -np.inf
        self._position: Float64Array | None = None
        self._refused = 0
        self._forget()

    def _forget(self) -> None:
        self._atoms: list[Atom] = []
        self._marks: dict[Mark, int] = {}

    @property
    def refused(self) -> int:
        """Samples that were no poses of this arm: of other joints, or with numbers that are not finite."""
        return self._refused

    def __len__(self) -> int:
        """Atoms kept."""
        return len(self._atoms)

    def begin(self, sample: JointSample) -> None:
        """Forget atoms and marks; the record begins anew at `sample`."""
        with self._lock:
            self._forget()
            self._position = None
            self._take(sample)

    def take(self, sample: JointSample) -> None:
        """Record a sample; the arm's joints come first in it."""
        with self._lock:
            self._take(sample)

    def mark(self, mark: Mark) -> None:
        """Put a mark at the present pose; it leaves the pose where it was before."""
        with self._lock:
            self._marks[mark] = len(self._atoms)

    def move_mark(self, mark: Mark, to: Mark) -> None:
        """Put `mark` where `to` is; without `to` it stays."""
        with self._lock:
            if to in self._marks:
                self._marks[mark] = self._marks[to]

    def since(self, mark: Mark) -> Displacement:
        """What all motion since the mark adds up to. Raises PlanningError when the mark is not known."""
        with self._lock:
            return compose(self._atoms[self._place(mark) :], self._dof)

    def approach(self, mark: Mark, length: float) -> Float64Array:
        """(3,) m that the tip went last: over the newest atoms that take it `length` m away, at most since the mark.

        Raises PlanningError when the mark is not known.
        """
        with self._lock:
            way = np.zeros(3)
            for atom in reversed(self._atoms[self._place(mark) :]):
                if isinstance(atom, TipAtom):
                    way[atom.axis] += atom.displacement
                    if np.linalg.norm(way) >= length:
                        break
            return way

    def _place(self, mark: Mark) -> int:
        if mark not in self._marks:
            raise PlanningError(f"the way back to the {mark.value} is not known")
        return self._marks[mark]

    def _take(self, sample: JointSample) -> None:
        position = np.array(sample.position[: self._dof], dtype=np.float64)
        own = sample.names[: self._dof] == self._names and position.shape == (self._dof,)
        if not (own and np.isfinite(position).all() and math.isfinite(sample.stamp)):
            self._refused += 1
            return
        last, elapsed = self._position, sample.stamp - self._stamp
        self._position, self._stamp = position, sample.stamp
        if last is None or self._jumped(position - last, elapsed):
            self._start(position)
        else:
            self._record(position)

    def _jumped(self, change: Float64Array, elapsed: float) -> bool:
        return elapsed < 0.0 or bool((np.abs(change) > _JUMP_SPEED * self._speed * elapsed + _JUMP).any())

    def _start(self, position: Float64Array) -> None:
        self._forget()
        self._origin, self._tip_origin = position, self._tip(position)
        self._recorded, self._tip_recorded = np.zeros(self._dof), np.zeros(3)

    def _tip(self, position: Float64Array) -> Float64Array:
        return np.array(self._dynamics.tip_pose(position)[1])

    def _record(self, position: Float64Array) -> None:
        """Add the atoms that lead from what is recorded to `position`; what is left of it waits."""
        size = self._settings.joint
        whole = np.trunc((position - self._origin - self._recorded) / size) * size
        turned = np.flatnonzero(whole)
        if not len(turned):
            return
        self._recorded += whole
        self._atoms += [JointAtom(int(joint), float(whole[joint])) for joint in turned]
        size = self._settings.tip
        moved = np.trunc((self._tip(position) - self._tip_origin - self._tip_recorded) / size) * size
        self._tip_recorded += moved
        self._atoms += [TipAtom(int(axis), float(moved[axis])) for axis in np.flatnonzero(moved)]
        if len(self._atoms) > self._settings.capacity:
            self._consolidate()

    def _consolidate(self) -> None:
        """Sum up the older half, stretch by stretch between marks; the newer half keeps the order of its motions."""
        half = len(self._atoms) // 2
        cuts = sorted({0, half, *(place for place in self._marks.values() if place < half)})
        kept: list[Atom] = []
        places: dict[int, int] = {}
        for begin, end in itertools.pairwise(cuts):
            places[begin] = len(kept)
            kept += consolidate(self._atoms[begin:end], self._dof)
        shift = half - len(kept)
        self._marks = {mark: places[place] if place < half else place - shift for mark, place in self._marks.items()}
        self._atoms = kept + self._atoms[half:]
