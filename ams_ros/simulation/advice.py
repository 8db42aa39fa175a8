"""What an expert wants in one step: the label of a demonstration."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.types import Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Advice:
    """What the expert wants in this step.

    action: (dof + 1,) joint targets rad to be reached at the step's end, and the finger target m.
    target: (3,) m, the object it handles, in base_link. held: whether that is between the closed fingers, or being
    pulled. idle: done and at rest. present: whether anything is left to do.
    """

    action: Float64Array
    target: Float64Array
    held: bool
    idle: bool
    present: bool
