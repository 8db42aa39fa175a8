"""A scripted expert for tables of cubes and cups: one object, of whichever kind is nearest."""

from __future__ import annotations

from dataclasses import replace

from ams_ros.robot.kinematics import forward
from ams_ros.simulation.advice import Advice
from ams_ros.simulation.cube_expert import CubeExpert
from ams_ros.simulation.cup_expert import CupExpert
from ams_ros.simulation.plant import Plant


class MixedExpert:
    """Has the expert for the nearest object's kind advise; once one of them is done with its object, only that one."""

    def __init__(self, plant: Plant) -> None:
        """Take the plant it may look into."""
        self._plant = plant
        self._cubes, self._cups = CubeExpert(plant), CupExpert(plant)
        self._at_work: CubeExpert | CupExpert | None = None

    @property
    def delivered(self) -> bool:
        """Whether it is done with its object."""
        return self._at_work is not None and self._at_work.delivered

    def advise(self) -> Advice:
        """The clean command for the present state. Raises ValueError when it would leave the joint limits."""
        position = self._plant.joints().position
        rotation, tip = forward(self._plant.profile, position[:-1])
        to_cube, to_cup = self._cubes.distance(tip, rotation, float(position[-1])), self._cups.distance(tip)
        nothing_left = to_cube == to_cup == float("inf")
        # The one at work sees first whether it is done: its object is no longer among those to choose from then.
        advice = None if self._at_work is None else self._at_work.advise()
        if advice is None or not self.delivered:
            nearest = self._cubes if to_cube < to_cup else self._cups
            if advice is None or nearest is not self._at_work:
                self._at_work, advice = nearest, nearest.advise()
        return replace(advice, present=not nothing_left)
