"""Episodes inferred in one of the ways `ams bench reuse` compares."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ams_ros.benchmark.local_reuse import ROBOT, LocalReuse
from ams_ros.benchmark.report import Episode
from ams_ros.benchmark.reuse.cells import EPISODE, Cell
from ams_ros.benchmark.reuse.figures import TimedEpisode, TimedSlice
from ams_ros.benchmark.reuse.scenes import SceneSet
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.protocol import Policy
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks.cubes import CubesTask
from ams_ros.supervision.clock import SteadyClock
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop
from ams_ros.types import Guidance, Inference, Mode, Observation, SliceRequest, TaskRequest, TaskStatus

_COMPARED = 6
"""Every sixth slice is inferred directly too, to compare times."""


class ComparedSource:
    """Infers as a cell says and times it, now and then beside direct inference; a supervision.protocols.SliceSource."""

    def __init__(self, policy: Policy, cell: Cell, reuse: LocalReuse, robot: SimulatedRobot) -> None:
        """Use the pool of `reuse` when the cell does."""
        self._cell, self._reuse, self._robot = cell, reuse, robot
        self._direct = SliceInference(policy)
        self._fewer = SliceInference(policy, cell.steps) if cell.steps else self._direct
        self.slices: list[TimedSlice] = []

    def infer(self, request: SliceRequest) -> Inference:
        """Observe now and infer one slice."""
        observation = self._robot.observe(request.instruction)
        compared, number = len(self.slices) % _COMPARED == 0, len(self.slices) // _COMPARED
        before = compared and number % 2 == 0
        direct = self._time_direct(observation, request) if before else None
        if compared:
            self._direct.infer(observation, request)
        started = time.perf_counter()
        inference = self._infer(observation, request)
        seconds = time.perf_counter() - started
        # While the arm executes a slice there is time for the put; here execution takes none.
        self._reuse.drain()
        if compared and not before:
            direct = self._time_direct(observation, request)
        stages = tuple((stage.stage, stage.seconds) for stage in inference.stages)
        special = request.index < self._cell.slices
        self.slices.append(TimedSlice(seconds, stages, inference.reuse, direct, special))
        return inference

    def _infer(self, observation: Observation, request: SliceRequest) -> Inference:
        if self._cell.pool:
            return self._reuse.inference.infer(observation, request)
        plain = self._fewer if request.index < self._cell.slices else self._direct
        return plain.infer(observation, request)

    def _time_direct(self, observation: Observation, request: SliceRequest) -> float:
        # Untimed first, here and before what is compared: whoever comes right after a wait finds cold caches, and on a
        # busy machine the favour of the scheduler.
        self._direct.infer(observation, request)
        started = time.perf_counter()
        self._direct.infer(observation, request)
        return time.perf_counter() - started


class ReuseRollout:
    """One policy and one simulated robot for any cell and scene."""

    def __init__(self, policy: Policy, cap: int) -> None:
        """Build the plant once. cap: step budget of every episode."""
        self._policy, self._task, self._cap = policy, CubesTask(), cap
        self._robot = SimulatedRobot(Plant(load_profile(ROBOT)))

    def run(
        self, cell: Cell, scenes: SceneSet, seed: int, reuse: LocalReuse, successes: Sequence[str] = ()
    ) -> TimedEpisode:
        """Run one scene to its end; the simulator's truth scores it and steers nothing.

        successes: episodes in the pool that a cell of reference EPISODE takes its start from.
        """
        plant = self._robot.plant
        self._robot.reset(self._task.sample(seed, scenes.objects, scenes.in_bowl))
        first_success: int | None = None

        def score(progress: TaskStatus) -> None:
            nonlocal first_success
            if self._task.placed(plant) < scenes.objects:
                first_success = None
            elif first_success is None:
                first_success = progress.step

        source = ComparedSource(self._policy, cell, reuse, self._robot)
        loop = TaskLoop(source, self._robot, SteadyClock(), RestThresholds(), score)
        result = loop.run(task_request(self._task.instruction, cell, self._cap, seed, successes), StopRequest())
        placed = self._task.placed(plant)
        episode = Episode(
            seed=seed,
            success=placed == scenes.objects,
            placed=placed,
            steps=result.steps,
            steps_to_success=first_success if placed == scenes.objects else None,
            inferences=result.inferences,
            outcome=result.outcome.value,
            message=result.message,
        )
        return TimedEpisode(episode, tuple(source.slices), self._policy.description.period)


def task_request(instruction: str, cell: Cell, cap: int, seed: int, successes: Sequence[str]) -> TaskRequest:
    """What the task loop is asked for: the mode, and the guidance of the first slices, that the cell stands for."""
    if not cell.pool:
        return TaskRequest(instruction, Mode.DIRECT, cap, seed)
    guidance = None
    if cell.warm is not None:
        reference = successes[seed % len(successes)] if cell.warm.reference == EPISODE else cell.warm.reference
        guidance = Guidance(reference, cell.warm.start_time, cell.warm.variant)
    slices = cell.slices if guidance is not None else 0
    return TaskRequest(instruction, Mode.CONTEXT, cap, seed, episode_name(seed), guidance, slices)


def episode_name(seed: int) -> str:
    """Under which the pool keeps the contexts of a scene."""
    return f"scene-{seed}"
