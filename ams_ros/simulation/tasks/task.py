"""What a simulated task is: scenes, an instruction, and what counts as done by the simulator's truth."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from ams_ros.errors import ConfigurationError
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant


class SceneDomain(IntEnum):
    """Seeds of different domains never draw the same scene."""

    EVALUATION = 0x45564C
    TRAINING = 0x54524E


class SimulatedTask(Protocol):
    """Draws scenes of 1..maximum_objects objects and scores them. kinds: of "cube" and "cup", those it is about."""

    @property
    def name(self) -> str:
        """What it is found by."""
        ...

    @property
    def instruction(self) -> str:
        """What the policy is told."""
        ...

    @property
    def maximum_objects(self) -> int:
        """How many objects a scene may hold."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of objects it is about."""
        ...

    def sample(
        self, seed: int, objects: int, done: int = 0, domain: SceneDomain = SceneDomain.EVALUATION
    ) -> SceneLayout:
        """Draw a scene of `objects` objects, `done` of them dealt with already; same arguments, same scene.

        Raises ConfigurationError when objects is not 1..maximum_objects, done not 0..objects, or seed negative.
        """
        ...

    def placed(self, plant: Plant) -> int:
        """How many objects are dealt with (truth: scoring and training only)."""
        ...


def check_scene(seed: int, objects: int, done: int, maximum_objects: int) -> None:
    """Raise ConfigurationError for a scene that cannot be drawn."""
    if not 1 <= objects <= maximum_objects:
        raise ConfigurationError("objects", objects, f"1..{maximum_objects}")
    if not 0 <= done <= objects:
        raise ConfigurationError("done", done, f"0..{objects}")
    if seed < 0:
        raise ConfigurationError("seed", seed, "0 or more")
