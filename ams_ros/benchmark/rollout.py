"""One policy working in one simulated scene after the other, in this process."""

from __future__ import annotations

from ams_ros.benchmark.report import Episode
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.clock import SteadyClock
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop
from ams_ros.types import Inference, Mode, TaskProgress, TaskRequest


class LocalSliceSource:
    """A policy in the same process as the robot; implements supervision.protocols.SliceSource."""

    def __init__(self, inference: SliceInference, robot: SimulatedRobot) -> None:
        """Infer with `inference` on what `robot` observes."""
        self._inference, self._robot = inference, robot

    def infer(self, instruction: str, seed: int) -> Inference:
        """Observe now and infer one slice."""
        return self._inference.infer(self._robot.observe(instruction), seed)


class Rollout:
    """Runs and scores episodes of one task with one policy."""

    def __init__(self, policy: str, task: str, objects: int, cap: int, mode: Mode, rest: RestThresholds) -> None:
        """Load the policy and build the plant once for all episodes."""
        self._task, self._objects, self._cap, self._mode = find_task(task), objects, cap, mode
        self._plant = Plant(load_profile("widowx_250s"))
        self._robot = SimulatedRobot(self._plant)
        self._source = LocalSliceSource(SliceInference(load_policy(policy)), self._robot)
        self._rest = rest

    def run(self, seed: int) -> Episode:
        """Run the scene of that seed to its end; the simulator's truth scores it and steers nothing."""
        self._robot.reset(self._task.sample(seed, self._objects))
        first_success: int | None = None

        def score(progress: TaskProgress) -> None:
            nonlocal first_success
            if self._task.placed(self._plant) < self._objects:
                first_success = None
            elif first_success is None:
                first_success = progress.step

        loop = TaskLoop(self._source, self._robot, SteadyClock(), self._rest, score)
        result = loop.run(TaskRequest(self._task.instruction, self._mode, self._cap, seed), StopRequest())
        placed = self._task.placed(self._plant)
        return Episode(
            seed=seed,
            success=placed == self._objects,
            placed=placed,
            steps=result.steps,
            steps_to_success=first_success if placed == self._objects else None,
            inferences=result.inferences,
            outcome=result.outcome.value,
            message=result.message,
        )
