"""A scripted expert that pulls one cup down, from the simulator's truth; it makes training labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.robot.kinematics import forward
from ams_ros.simulation.advice import Advice
from ams_ros.simulation.expert_motion import ExpertMotion
from ams_ros.simulation.layout import CUP_DOWN, CUP_HEIGHT, CUP_RADIUS
from ams_ros.simulation.plant import Plant
from ams_ros.types import Float64Array


@dataclass(frozen=True, slots=True)
class CupExpertSettings:
    """How the expert moves. Lengths in m.

    hover: tip height over standing cups. hook: tip height behind the cup it pulls. behind: from the cup's middle to
    where the tip goes down. aligned: how well the tip must stand there before it does. beside: how far off the line
    of the pull it may be while it pulls. pull: how far beyond the cup's middle it pulls before it gives up. finger:
    finger position, narrow enough to hook and wide enough not to be taken for a grasp that closed on nothing.
    """

    hover: float = CUP_HEIGHT + 0.035
    hook: float = CUP_HEIGHT - 0.015
    behind: float = CUP_RADIUS + 0.021
    aligned: float = 0.008
    beside: float = 0.013
    pull: float = 0.08
    finger: float = 0.018


class CupExpert:
    """Handles exactly one cup: the standing one whose far side is nearest to the gripper.

    Every label is a function of the present state. The one thing it remembers is that its cup fell: from then on it
    goes home and stays.
    """

    def __init__(self, plant: Plant, settings: CupExpertSettings | None = None) -> None:
        """Take the plant it may look into."""
        self._plant = plant
        self._profile = plant.profile
        self._motion = ExpertMotion(plant.profile)
        self.settings = settings or CupExpertSettings()
        self._handled: int | None = None
        self.delivered = False

    def advise(self) -> Advice:
        """The clean command for the present state. Raises ValueError when it would leave the joint limits."""
        position = self._plant.joints().position
        joints, finger = position[:-1], float(position[-1])
        _, tip = forward(self._profile, joints)
        tilts, _ = self._plant.cup_tilts()
        standing = tilts < CUP_DOWN
        if self._handled is not None and not standing[self._handled]:
            self.delivered = True
        if self.delivered or not standing.any():
            return self._leave(joints, tip, finger, bool(standing.any()))
        cup = self._handled = self._choose(tip, np.flatnonzero(standing))
        place = self._pull(tip, cup)
        pulling = bool(tilts[cup] > 0.03)
        heading = float(self._plant.cup_feet()[cup, 2])
        yaw = float((heading + np.pi / 2) % np.pi - np.pi / 2)
        action = self._motion.towards(joints, tip, place, yaw, self.settings.finger)
        return Advice(action, self._plant.cup_centres()[cup].copy(), pulling, False, True)

    def distance(self, tip: Float64Array) -> float:
        """Of the standing cup it would choose, in m as seen from above; infinite when none stands, 0 for a hooked one.

        tip: (3,) m.
        """
        standing = np.flatnonzero(self._plant.cup_tilts()[0] < CUP_DOWN)
        if len(standing) == 0:
            return float("inf")
        cup = self._choose(tip, standing)
        if self._hooked(tip, cup):
            return 0.0
        return float(np.linalg.norm(self._behind(cup) - tip[:2]))

    def _choose(self, tip: Float64Array, standing: np.ndarray[tuple[int, ...], np.dtype[np.int_]]) -> int:
        """The cup the fingers are behind of, else the one whose far side is nearest."""
        for cup in standing:
            if self._hooked(tip, int(cup)):
                return int(cup)
        return int(min(standing, key=lambda cup: float(np.linalg.norm(self._behind(int(cup)) - tip[:2]))))

    def _behind(self, cup: int) -> Float64Array:
        """(2,) m, where the fingers go down."""
        x, y, heading = self._plant.cup_feet()[cup]
        return np.array([x, y]) - self.settings.behind * np.array([np.cos(heading), np.sin(heading)])

    def _from_behind(self, tip: Float64Array, cup: int) -> tuple[float, float]:
        """How far the tip is beyond where the fingers go down, along the fall, and beside that line, m."""
        heading = float(self._plant.cup_feet()[cup, 2])
        off = tip[:2] - self._behind(cup)
        along = np.array([np.cos(heading), np.sin(heading)])
        return float(off @ along), float(off[1] * along[0] - off[0] * along[1])

    def _hooked(self, tip: Float64Array, cup: int) -> bool:
        """Whether the tip is low on the line of the pull, its fingers behind the cup or what is left of its stand."""
        settings = self.settings
        along, beside = self._from_behind(tip, cup)
        # It goes down well before it pulls; once it does, arm and cup may lift the hand a little.
        low = tip[2] < settings.hook + (0.008 if along < 0.008 else 0.016)
        return bool(low) and abs(beside) < settings.beside and -0.020 < along < settings.behind + settings.pull

    def _pull(self, tip: Float64Array, cup: int) -> Float64Array:
        """Over the place behind the cup, down, and towards the arm: decided from where the tip stands."""
        settings = self.settings
        behind = self._behind(cup)
        if self._hooked(tip, cup):
            heading = float(self._plant.cup_feet()[cup, 2])
            along, _ = self._from_behind(tip, cup)
            ahead = behind + (along + 0.03) * np.array([np.cos(heading), np.sin(heading)])
            return np.array([*ahead, settings.hook])
        away = float(np.linalg.norm(behind - tip[:2]))
        # On the way down it may be off a little more: the hand hangs beside cups there.
        if away < (settings.aligned if tip[2] > settings.hover - 0.02 else 1.5 * settings.aligned):
            return np.array([*behind, settings.hook])
        if tip[2] < settings.hover - 0.025:
            return np.array([tip[0], tip[1], settings.hover])
        return np.array([*behind, settings.hover])

    def _leave(self, joints: Float64Array, tip: Float64Array, finger: float, present: bool) -> Advice:
        """Up, the fingers still close together because cups stand beside the hand, and home."""
        settings, centres = self.settings, self._plant.cup_centres()
        target = centres[self._handled or 0].copy() if len(centres) else tip
        if tip[2] < settings.hover - 0.01:
            over = np.array([tip[0], tip[1], settings.hover + 0.01])
            action = self._motion.towards(joints, tip, over, float(joints[0] - joints[-1]), self.settings.finger)
            return Advice(action, target, False, False, present)
        action, idle = self._motion.home(joints, finger)
        return Advice(action, target, False, idle, present)
