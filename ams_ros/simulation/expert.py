"""Scripted experts, one object each, from the simulator's truth; they make the training labels."""

from __future__ import annotations

from typing import Protocol

from ams_ros.errors import ConfigurationError
from ams_ros.simulation.advice import Advice
from ams_ros.simulation.cube_expert import CubeExpert
from ams_ros.simulation.cup_expert import CupExpert
from ams_ros.simulation.mixed_expert import MixedExpert
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks import find_task


class Expert(Protocol):
    """Handles exactly one object, then goes home and stays there. Every label is a function of the present state.

    The one thing it remembers is that it is done with its object.
    """

    @property
    def delivered(self) -> bool:
        """Whether it is done with its object."""
        ...

    def advise(self) -> Advice:
        """The clean command for the present state. Raises ValueError when there is no sane one."""
        ...


def make_expert(task: str, plant: Plant, kind: str | None = None) -> Expert:
    """An expert for one demonstration of a task in the plant's scene.

    kind: the only kind of object it may choose, one of the task's; None for any. Raises ConfigurationError.
    """
    kinds = find_task(task).kinds
    if kind is not None and kind not in kinds:
        raise ConfigurationError("kind", kind, ", ".join(kinds))
    match kinds if kind is None else (kind,):
        case ("cube",):
            return CubeExpert(plant)
        case ("cup",):
            return CupExpert(plant)
        case _:
            return MixedExpert(plant)


__all__ = ["Advice", "Expert", "make_expert"]
