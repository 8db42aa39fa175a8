"""Runs of the simulated robot that went well, to calibrate on, in this process and in simulation time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ams_ros.benchmark.local_slice_source import LocalSliceSource
from ams_ros.exception.calibration.run import Arrived, Begun, Ended, Run, RunEvent
from ams_ros.exception.detector import Detector
from ams_ros.exception.plan import MotionPlan
from ams_ros.exception.rule import Violation, WatchedRobot
from ams_ros.exception.sample_intake import Values
from ams_ros.exception.threshold_file import RuleSettings
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.pi0 import load_policy
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.guarded_robot import GuardedRobot, GuardOptions
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.clock import SteadyClock
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop
from ams_ros.types import JointSample, Mode, TaskRequest, WrenchSample

TASK = "cubes"
STEPS = 1500
"""Step budget of a run."""


class RecordingDetector(Detector):
    """A detector that keeps what it was told."""

    def __init__(self, robot: WatchedRobot, rules: RuleSettings) -> None:
        """As of Detector."""
        super().__init__(robot, rules)
        self.events: list[RunEvent] = []
        """In the order they came."""

    def joints(  # noqa: PLR0917 - as of Detector
        self, names: Sequence[str], position: Values, velocity: Values, effort: Values, stamp: float, arrival: float
    ) -> Violation | None:
        """A joint sample arrived."""
        arrays = [np.array(values, dtype=np.float64) for values in (position, velocity, effort)]
        velocities, efforts = (values if len(values) else None for values in arrays[1:])
        self.events.append(Arrived(JointSample(stamp, tuple(names), arrays[0], velocities, efforts), arrival))
        return super().joints(names, position, velocity, effort, stamp, arrival)

    def wrench(
        self, frame: str, force: Sequence[float], torque: Sequence[float], stamp: float, arrival: float
    ) -> Violation | None:
        """A wrench sample arrived."""
        self.events.append(Arrived(WrenchSample(stamp, frame, np.array(force), np.array(torque)), arrival))
        return super().wrench(frame, force, torque, stamp, arrival)

    def begin(self, plan: MotionPlan | None, stamp: float) -> None:
        """A goal came under execution."""
        self.events.append(Begun(plan, stamp))
        super().begin(plan, stamp)

    def end(self, stamp: float) -> Violation | None:
        """Nothing is under execution any more."""
        self.events.append(Ended(stamp))
        return super().end(stamp)


class RecordingRobot(GuardedRobot):
    """The guarded robot in shadow mode, with a detector that keeps what it was told."""

    recorded: RecordingDetector
    """That of the scene under way."""

    def _make_detector(self) -> Detector:
        self.recorded = RecordingDetector(self._watched, self._rules)
        return self.recorded


def good_runs(robot: WatchedRobot, rules: RuleSettings, policy: str, tasks: int, seed: int) -> Iterator[Run]:
    """Run `tasks` tasks of one object each and give those that succeeded; task k is that of seed + k."""
    task, inference = find_task(TASK), SliceInference(load_policy(policy))
    plant = Plant(robot.profile)
    recording = RecordingRobot(plant, robot, rules, GuardOptions(shadow=True))
    loop = TaskLoop(
        LocalSliceSource(inference, recording), recording, SteadyClock(), RestThresholds(), lambda progress: None
    )
    for number in range(seed, seed + tasks):
        recording.reset(task.sample(number, 1))
        loop.run(TaskRequest(task.instruction, Mode.DIRECT, STEPS, number), StopRequest())
        if task.placed(plant) == 1:
            yield Run(f"seed {number}", tuple(recording.recorded.events))
