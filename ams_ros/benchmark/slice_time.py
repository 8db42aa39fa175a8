"""How long one slice takes, stage by stage, in this process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks.cubes import CubesTask
from ams_ros.types import SliceRequest

_WARM_UP = 10


@dataclass(frozen=True, slots=True)
class StageSeconds:
    """Median and 99th percentile of one stage, or of the whole slice, in seconds."""

    stage: str
    median: float
    p99: float


def time_slices(policy: str, slices: int, threads: int) -> tuple[StageSeconds, ...]:
    """Infer `slices` slices on rendered pictures with `threads` CPU threads; every stage and, last, "slice".

    Raises ConfigurationError for numbers below 1, CheckpointError when the policy cannot be loaded.
    """
    for key, value in (("slices", slices), ("threads", threads)):
        if value < 1:
            raise ConfigurationError(key, value, "an integer of at least 1")
    inference = SliceInference(load_policy(policy, threads=threads))
    plant = Plant(load_profile("widowx_250s"))
    robot, task = SimulatedRobot(plant), CubesTask()
    robot.reset(task.sample(0, 1))
    observation = robot.observe(task.instruction)
    plant.close()
    requests = [SliceRequest(task.instruction, seed, bypass=True) for seed in range(_WARM_UP + slices)]
    timed = [inference.infer(observation, request) for request in requests][_WARM_UP:]
    stages: dict[str, list[float]] = {stage.stage: [] for stage in timed[0].stages}
    stages["slice"] = [one.seconds for one in timed]
    for one in timed:
        for stage in one.stages:
            stages[stage.stage].append(stage.seconds)
    return tuple(
        StageSeconds(name, float(np.median(seconds)), float(np.percentile(seconds, 99)))
        for name, seconds in stages.items()
    )
