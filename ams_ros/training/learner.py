"""A half-trained policy that brings the arm to where its own mistakes lead, for the expert to take over from there.

The idea is that of DAgger (Ross, Gordon and Bagnell 2011): demonstrations that begin in the states a policy visits
teach it the way out of them, which demonstrations from the expert's own path never show.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.expert import make_expert
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks import find_task
from ams_ros.training.lessons import Lesson
from ams_ros.types import SliceRequest

SLICES, SLICES_WHEN_LED = (7, 16), (5, 14)
"""How long the policy works, at least and at most, before the expert takes over; most scenes are solved by then, and
those teach nothing."""
_AT_START = 0.05
"""An arm all of whose joints are nearer to the start pose, rad, is back there."""


class Learner:
    """Runs a checkpoint on a plant."""

    def __init__(self, checkpoint: Path) -> None:
        """Load the checkpoint; raises CheckpointError when it cannot be used."""
        self._inference = SliceInference(load_policy(checkpoint))

    def goes_wrong(self, plant: Plant, lesson: Lesson, rng: np.random.Generator, led: bool) -> bool:
        """Work from where the plant is; whether after some slices nothing more is done and nothing is about to be.

        The plant is left as it is at that moment. An object in the fingers, or being pulled, is about to be done. led:
        the expert led away from the start pose; back there is not wrong then, but what an end looks like.
        """
        task, robot = find_task(lesson.task), SimulatedRobot(plant, plant.profile)
        done = task.placed(plant)
        fewest, most = SLICES_WHEN_LED if led else SLICES
        for _ in range(int(rng.integers(fewest, most + 1))):
            request = SliceRequest(lesson.instruction, int(rng.integers(2**62)), bypass=True)
            wanted = self._inference.infer(robot.observe(lesson.instruction), request).slice
            robot.execute(wanted.head(wanted.execute), StopRequest())
        away = np.abs(robot.joints().position[:-1] - plant.profile.start).max()
        if task.placed(plant) != done or (led and away < _AT_START):
            return False
        try:
            advice = make_expert(lesson.task, plant, lesson.kind or None).advise()
        except ValueError:
            return False
        return advice.present and not advice.held
