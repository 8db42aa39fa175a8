"""What the executed command differs by from the expert's clean one, so that labels show the way back from mistakes."""

from __future__ import annotations

import numpy as np

from ams_ros.robot.kinematics import forward
from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.expert import Advice
from ams_ros.simulation.plant import Plant
from ams_ros.training.demo_mix import DemoMix
from ams_ros.types import Float64Array

_LEVER = 0.3
_LOW = 0.055
"""Below this height of the tip, m, an empty hand is about to grasp."""
_ASKEW, _ASKEW_MEMORY = (0.2, 0.5), 0.9


class Disturbance:
    """The noise of one demonstration and, where the mix wants it, a last joint that is off when the hand is low."""

    def __init__(self, mix: DemoMix, profile: RobotProfile, rng: np.random.Generator) -> None:
        """Draw whether this demonstration's grasp shall be askew, and how much."""
        self._mix, self._rng = mix, rng
        self._noise = np.zeros(len(profile.joints))
        self._fresh = command_noise(mix, profile) * np.sqrt(1.0 - mix.noise_memory**2)
        askew = rng.uniform() < mix.askew
        self._drawn = self._askew = float(rng.choice((-1.0, 1.0)) * rng.uniform(*_ASKEW)) if askew else 0.0
        self._open = profile.gripper.upper

    def step(self, plant: Plant, advice: Advice) -> Float64Array:
        """(dof + 1,): what to add to this step's command.

        At rest nothing: there the real arm is commanded exactly its start pose.
        """
        noise = self._mix.noise_memory * self._noise
        self._noise = noise + self._fresh * self._rng.standard_normal(len(noise))
        off = np.zeros(len(noise) + 1)
        if advice.idle:
            return off
        off[:-1] = self._noise
        _, tip = forward(plant.profile, plant.joints().position[:-1])
        if self._askew and advice.present and not advice.held and tip[2] < _LOW:
            # Less and less while the fingers are open, so that the expert goes down at last; in full while they close.
            closing = advice.action[-1] < self._open
            off[-2] += self._drawn if closing else self._askew
            self._askew *= 1.0 if closing else _ASKEW_MEMORY
        return off


def command_noise(mix: DemoMix, profile: RobotProfile) -> float:
    """Standard deviation of the noise for this arm, rad."""
    _, tip = forward(profile, profile.start)
    return mix.noise * min(1.0, _LEVER / float(np.linalg.norm(tip[:2])))
