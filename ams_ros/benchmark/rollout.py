"""One policy working in one simulated scene after the other, in this process."""

from __future__ import annotations

from ams_ros.benchmark.report import Episode
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.clock import SteadyClock
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop, parse_mode
from ams_ros.types import Inference, SliceRequest, TaskProgress, TaskRequest


class LocalSliceSource:
    """A policy in the same process as the robot; implements supervision.protocols.SliceSource."""

    def __init__(self, inference: SliceInference, robot: SimulatedRobot) -> None:
        """Infer with `inference` on what `robot` observes."""
        self._inference, self._robot = inference, robot

    def infer(self, request: SliceRequest) -> Inference:
        """Observe now and infer one slice."""
        return self._inference.infer(self._robot.observe(request.instruction), request)


class Rollout:
    """Runs and scores episodes of one task with one policy."""

    def __init__(self, request: EvaluationRequest) -> None:
        """Load the policy and build the plant once for all episodes."""
        self._request, self._task = request, find_task(request.task)
        self._plant = Plant(load_profile("widowx_250s"))
        self._robot = SimulatedRobot(self._plant)
        self._source = LocalSliceSource(SliceInference(load_policy(request.policy)), self._robot)
        self._rest = RestThresholds(slices=request.cap) if request.until_cap else RestThresholds()

    def run(self, seed: int) -> Episode:
        """Run the scene of that seed to its end; the simulator's truth scores it and steers nothing."""
        objects = self._request.objects
        self._robot.reset(self._task.sample(seed, objects))
        first_success: int | None = None

        def score(progress: TaskProgress) -> None:
            nonlocal first_success
            if self._task.placed(self._plant) < objects:
                first_success = None
            elif first_success is None:
                first_success = progress.step

        loop = TaskLoop(self._source, self._robot, SteadyClock(), self._rest, score)
        task = TaskRequest(self._task.instruction, parse_mode(self._request.mode), self._request.cap, seed)
        result = loop.run(task, StopRequest())
        placed = self._task.placed(self._plant)
        return Episode(
            seed=seed,
            success=placed == objects,
            placed=placed,
            steps=result.steps,
            steps_to_success=first_success if placed == objects else None,
            inferences=result.inferences,
            outcome=result.outcome.value,
            message=result.message,
        )
