"""The simulator's truth about what the arm did, sample by sample; for scoring only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ams_ros.exception.guard import GuardState
from ams_ros.simulation.guarded_robot import GuardedRobot
from ams_ros.simulation.plant import Plant
from ams_ros.types import Float64Array


class WitnessedPlant(Plant):
    """A plant that has somebody look at it whenever time passed."""

    look: Callable[[], None] | None = None

    def advance(self, seconds: float) -> None:
        """Run the physics; see Plant."""
        super().advance(seconds)
        if self.look is not None:
            self.look()


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What was true at `time`, s; the guard's part is from before it saw the samples of this moment.

    velocity: (dof,) rad/s, unsigned. lag: (dof,) rad from where the servos are told to be. effort: (dof,) N m,
    unsigned. contact: N, what all that touches the arm exerts on it together. gap: m of one finger from its closed
    stop. told: how many exceptions were.
    """

    time: float
    velocity: Float64Array
    lag: Float64Array
    effort: Float64Array
    contact: float
    gap: float
    state: GuardState
    told: int

    @property
    def speed(self) -> float:
        """Of the fastest joint, rad/s."""
        return float(self.velocity.max())


class Witness:
    """Writes down every moment of one episode of a guarded robot."""

    def __init__(self, robot: GuardedRobot, plant: WitnessedPlant) -> None:
        """plant: the robot's own."""
        self._robot, self._plant = robot, plant
        self._closed = plant.profile.gripper.lower
        self.moments: list[Moment] = []
        plant.look = self.look

    def look(self) -> None:
        """Write down this moment."""
        joints, robot = self._plant.joints(), self._robot
        assert joints.velocity is not None
        assert joints.effort is not None
        self.moments.append(
            Moment(
                joints.stamp,
                np.abs(joints.velocity[:-1]),
                np.abs(self._plant.arm_command - joints.position[:-1]),
                np.abs(joints.effort[:-1]),
                float(np.linalg.norm(self._plant.disturbances.contact_force())),
                float(joints.position[-1]) - self._closed,
                robot.guard.state,
                len(robot.exceptions),
            )
        )


@dataclass(frozen=True, slots=True)
class WitnessedStop:
    """One stop as it truly was, s. rested: since when the arm stood still until it was told; None if it did not."""

    begun: float
    told: float
    rested: float | None


def stops(moments: list[Moment], velocity: float) -> list[WitnessedStop]:
    """The stop of each exception that was told and acted on. velocity: rad/s up to which the arm stands still."""
    found: list[WitnessedStop] = []
    begun: int | None = None
    for index in range(1, len(moments)):
        before, now = moments[index - 1], moments[index]
        # What the guard did with the samples of one moment shows in the next.
        if now.state is GuardState.STOPPING and begun is None:
            begun = index - 1
        for _ in range(now.told - before.told):
            first = index - 1 if begun is None else begun
            found.append(WitnessedStop(moments[first].time, before.time, _rested(moments[first:index], velocity)))
            begun = None
    return found


def _rested(moments: list[Moment], velocity: float) -> float | None:
    since = None
    for moment in reversed(moments):
        if moment.speed > velocity:
            break
        since = moment.time
    return since
