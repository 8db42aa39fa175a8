"""The simulator's truth under seal: only the scorer may look; whoever else does is found out at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.guarded_robot import GuardedRobot
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.types import Float64Array


class TruthLeak(AssertionError):
    """Policy or AMS asked for what only a simulator knows.

    No AmsError on purpose: a task loop turns those into the end of a task, and this must end the whole benchmark.
    """


class TruthSeal:
    """Closed, but for as long as somebody scores."""

    def __init__(self) -> None:
        """Closed."""
        self._scorers = 0

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """Open while used; for the scorer alone."""
        self._scorers += 1
        try:
            yield
        finally:
            self._scorers -= 1

    def check(self, what: str) -> None:
        """Raise TruthLeak naming `what` was asked for, unless it is the scorer who asks."""
        if not self._scorers:
            raise TruthLeak(f"{what} was asked for outside of scoring: no robot knows that")


class SealedPlant(Plant):
    """A plant that tells what a real table does not tell only while it is being scored."""

    def __init__(self, profile: RobotProfile) -> None:
        """As a plain plant, with the seal closed."""
        self.seal = TruthSeal()
        with self.seal.scoring():
            super().__init__(profile)

    @property
    def layout(self) -> SceneLayout:
        """Truth: where everything was put."""
        self.seal.check("layout")
        return self._sealed_layout

    @layout.setter
    def layout(self, layout: SceneLayout) -> None:
        self._sealed_layout = layout

    def cube_poses(self) -> tuple[Float64Array, Float64Array]:
        """Truth; see Plant."""
        self.seal.check("cube_poses")
        return super().cube_poses()

    def cube_speeds(self) -> Float64Array:
        """Truth; see Plant."""
        self.seal.check("cube_speeds")
        return super().cube_speeds()

    def cup_feet(self) -> Float64Array:
        """Truth; see Plant."""
        self.seal.check("cup_feet")
        return super().cup_feet()

    def cup_centres(self) -> Float64Array:
        """Truth; see Plant."""
        self.seal.check("cup_centres")
        return super().cup_centres()

    def cup_tilts(self) -> tuple[Float64Array, Float64Array]:
        """Truth; see Plant."""
        self.seal.check("cup_tilts")
        return super().cup_tilts()


class SealedRobot(GuardedRobot):
    """A guarded robot on a sealed plant."""

    plant: SealedPlant

    def effective_since(self, fault: str) -> float | None:
        """Truth; see SimulatedRobot."""
        self.plant.seal.check("effective_since")
        return super().effective_since(fault)
