"""Inference as a load: slice after slice on one thread until the process is terminated."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks.cubes import CubesTask
from ams_ros.types import SliceRequest

READY = "slices are being inferred"
"""What the process says when it begins."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the process is terminated."""
    inference, plant, task = (
        SliceInference(load_policy("cubes", threads=1)),
        Plant(load_profile("widowx_250s")),
        CubesTask(),
    )
    robot = SimulatedRobot(plant)
    robot.reset(task.sample(0, 1))
    observation = robot.observe(task.instruction)
    plant.close()
    request = SliceRequest(task.instruction, 0, bypass=True)
    inference.infer(observation, request)
    print(READY, flush=True)
    while True:
        inference.infer(observation, request)


if __name__ == "__main__":
    sys.exit(main())
