"""One policy working in one simulated scene after the other, in this process."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol

from ams_ros.benchmark.local_reuse import ROBOT, LocalReuse
from ams_ros.benchmark.report import Episode
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.policy.protocol import Policy
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.clock import SteadyClock
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop, parse_mode
from ams_ros.types import Inference, Observation, SliceRequest, TaskRequest, TaskStatus

EPISODE_BYTES = 32 * 2**20
"""Memory of the pool of one episode: some 250 contexts of the shipped policy, more than a step budget of 1500 makes."""


class Infers(Protocol):
    """Plain inference, or one that uses a pool."""

    def infer(self, observation: Observation, request: SliceRequest) -> Inference:
        """Infer one slice."""
        ...


def nothing() -> None:
    """Wait for nothing."""


class LocalSliceSource:
    """A policy in the same process as the robot; implements supervision.protocols.SliceSource."""

    def __init__(self, inference: Infers, robot: SimulatedRobot, wait: Callable[[], object] = nothing) -> None:
        """Infer with `inference` on what `robot` observes. wait: for what an executing arm gives time for."""
        self._inference, self._robot, self._wait = inference, robot, wait

    def infer(self, request: SliceRequest) -> Inference:
        """Observe now and infer one slice."""
        inference = self._inference.infer(self._robot.observe(request.instruction), request)
        self._wait()
        return inference


class Rollout:
    """Runs and scores episodes of one task with one policy."""

    def __init__(
        self, request: EvaluationRequest, policy: Policy | None = None, reuse: LocalReuse | None = None
    ) -> None:
        """Build the plant once for all episodes, and load the request's policy unless it is given.

        reuse: in mode context a pool that all episodes share. Without one each episode begins with an empty pool of
        its own, so that an episode stays a function of policy, task and seed.
        """
        self._request, self._task, self._mode = request, find_task(request.task), parse_mode(request.mode)
        self._plant = Plant(load_profile(ROBOT))
        self._robot = SimulatedRobot(self._plant)
        self._policy = policy or load_policy(request.policy)
        self._reuse = reuse
        self._rest = RestThresholds(slices=request.cap) if request.until_cap else RestThresholds()

    def run(self, seed: int) -> Episode:
        """Run the scene of that seed to its end; the simulator's truth scores it and steers nothing."""
        if not self._mode.pooled:
            return self._run(seed, LocalSliceSource(SliceInference(self._policy), self._robot))
        if self._reuse is not None:
            return self._run(seed, self._with(self._reuse))
        with LocalReuse(self._policy, host_bytes=EPISODE_BYTES) as reuse:
            return self._run(seed, self._with(reuse))

    def _with(self, reuse: LocalReuse) -> LocalSliceSource:
        return LocalSliceSource(reuse.inference, self._robot, reuse.drain)

    def _run(self, seed: int, source: LocalSliceSource) -> Episode:
        objects = self._request.objects
        self._robot.reset(self._task.sample(seed, objects))
        first_success: int | None = None

        def score(progress: TaskStatus) -> None:
            nonlocal first_success
            if self._task.placed(self._plant) < objects:
                first_success = None
            elif first_success is None:
                first_success = progress.step

        loop = TaskLoop(source, self._robot, SteadyClock(), self._rest, score)
        episode = f"seed-{seed}-{uuid.uuid4().hex[:12]}" if self._mode.pooled else ""
        task = TaskRequest(self._task.instruction, self._mode, self._request.cap, seed, episode)
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
