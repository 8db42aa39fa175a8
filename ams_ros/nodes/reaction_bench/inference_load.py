"""Inference as a load: slice after slice on one thread until the process is terminated.

SIGUSR1 makes it pause, SIGUSR2 go on. (A process stopped by SIGSTOP would outlive a starter that is killed.)
"""

from __future__ import annotations

import signal
import sys
import time
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
PAUSE, GO_ON = signal.SIGUSR1, signal.SIGUSR2
_LOOK_SECONDS = 0.05


class _Pause:
    """Whether to pause, as the last signal said; whichever thread gets a signal, Python handles it in the main one."""

    def __init__(self) -> None:
        self.on = False
        signal.signal(PAUSE, lambda *_: self._turn(on=True))
        signal.signal(GO_ON, lambda *_: self._turn(on=False))

    def _turn(self, *, on: bool) -> None:
        self.on = on


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the process is terminated."""
    pause = _Pause()
    inference, plant = SliceInference(load_policy("cubes", threads=1)), Plant(load_profile("widowx_250s"))
    robot, task = SimulatedRobot(plant), CubesTask()
    robot.reset(task.sample(0, 1))
    observation = robot.observe(task.instruction)
    plant.close()
    request = SliceRequest(task.instruction, 0, bypass=True)
    print(READY, flush=True)
    while True:
        if pause.on:
            time.sleep(_LOOK_SECONDS)
        else:
            inference.infer(observation, request)


if __name__ == "__main__":
    sys.exit(main())
