"""What a robot knows of its task's progress from its own joints, gripper and wrist (spec E2, R1)."""

from __future__ import annotations

import math
import threading

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.exception.rule import WatchedRobot
from ams_ros.recovery.surroundings import Surroundings
from ams_ros.replay.evidence.commanded_fingers import CommandedFingers
from ams_ros.replay.evidence.grip import Grip
from ams_ros.replay.evidence.place_watch import PlaceWatch
from ams_ros.replay.evidence.pull_watch import PullWatch
from ams_ros.replay.progress import Job
from ams_ros.replay.task_description import PlaceEvidence, TaskPart
from ams_ros.replay.task_file import load_task
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.kinematics import forward
from ams_ros.robot.profile import RobotProfile
from ams_ros.types import ActionSlice, Float64Array, JointSample, TaskRequest, WrenchSample

_CLOCK_SET_BACK = 1.0
"""s; a stamp further back than this is no sample that came late but a clock that was set."""


class RobotProgress:
    """Implements replay.progress.TaskProgress by the evidence that the task's description asks for.

    Jobs end as their parts' evidence says, the task when as many were seen done as the request asks for. A request
    without a task is not watched. Samples that hold no number where one is needed, or are older than the last one, are
    left out and counted in `degraded`.
    """

    def __init__(
        self, profile: RobotProfile, driver: DriverProfile, surroundings: Surroundings, *, alone: bool = True
    ) -> None:
        """alone: whether nobody else tells jobs, so that a task this robot has no sensors for is refused."""
        self._profile, self._driver, self._surroundings, self._alone = profile, driver, surroundings, alone
        self._lock = threading.Lock()
        self._fingers, self._grip = CommandedFingers(), Grip(profile.gripper)
        self._places: list[tuple[TaskPart, PlaceWatch]] = []
        self._pulls: list[tuple[TaskPart, PullWatch]] = []
        self._blind: list[str] = []
        self._start_over(0)

    def begin(self, request: TaskRequest) -> None:
        """A task begins. Raises ConfigurationError for an unknown task, or one that cannot be watched here."""
        parts = load_task(request.task, self._surroundings).parts if request.task else ()
        places, pulls, blind = self._watches(parts)
        if self._alone and blind and not (places or pulls):
            raise ConfigurationError("task", request.task, f"one that {self._profile.name} can watch: {blind[0]}")
        with self._lock:
            self._places, self._pulls, self._blind = places, pulls, blind
            self._start_over(request.jobs)

    def _watches(
        self, parts: tuple[TaskPart, ...]
    ) -> tuple[list[tuple[TaskPart, PlaceWatch]], list[tuple[TaskPart, PullWatch]], list[str]]:
        places: list[tuple[TaskPart, PlaceWatch]] = []
        pulls: list[tuple[TaskPart, PullWatch]] = []
        blind: list[str] = []
        for part in parts:
            evidence = part.evidence
            if isinstance(evidence, PlaceEvidence):
                place = self._surroundings.place(evidence.over)
                if self._driver.gripper_measured:
                    places.append((part, PlaceWatch(evidence, place, self._tip)))
                else:
                    blind.append(f"without a measured gripper nobody sees {part.instruction!r} done")
            elif self._driver.wrench is not None:
                robot = WatchedRobot(self._profile, self._driver, ArmDynamics(self._profile))
                pulls.append((part, PullWatch(evidence, robot)))
            else:
                blind.append(f"without a wrist force sensor nobody sees {part.instruction!r} done")
        return places, pulls, blind

    def _start_over(self, requested: int) -> None:
        self._requested = requested
        self._jobs: list[Job] = []
        self._stamp, self._wrench_stamp = -math.inf, -math.inf
        self._left_out = 0
        self._fingers = CommandedFingers()
        self._grip.begin_anew()

    def _tip(self, arm: Float64Array) -> Float64Array:
        return forward(self._profile, arm)[1]

    @property
    def degraded(self) -> str:
        """What is not seen and why, for people; empty when nothing is amiss."""
        with self._lock:
            found = [*self._blind, *(watch.degraded for _, watch in self._pulls if watch.degraded)]
            if self._left_out:
                found.append(f"{self._left_out} samples were left out: not numbers, of a wrong size, or too late")
            return "; ".join(found)

    def joints(self, sample: JointSample) -> None:
        """A joint sample arrived (arm joints, then the gripper)."""
        with self._lock:
            if not (self._places or self._pulls):
                return
            if len(sample.position) != len(self._profile.joints) + 1 or not self._sound(sample.stamp, sample.position):
                self._left_out += 1
                return
            if not self._later(sample.stamp):
                return
            self._look(sample)

    def _look(self, sample: JointSample) -> None:
        arm, finger = sample.position[:-1], float(sample.position[-1])
        change = self._grip.take(sample.stamp, finger, self._fingers.at(sample.stamp))
        for part, place in self._places:
            self._note(part, sample.stamp, place.take(sample.stamp, arm, self._grip, change))
        for _, pull in self._pulls:
            if self._places and self._grip.holding:
                # What is carried to its place may drag along something on its way there: no pull.
                pull.give_up()
            pull.joints(sample)

    def wrench(self, sample: WrenchSample) -> None:
        """A sample of the wrist sensor arrived."""
        with self._lock:
            if not self._pulls:
                return
            if not (self._sound(sample.stamp, sample.force, sample.torque) and sample.stamp > self._wrench_stamp):
                self._left_out += 1
                return
            self._wrench_stamp = sample.stamp
            for part, pull in self._pulls:
                self._note(part, sample.stamp, pull.wrench(sample))

    @staticmethod
    def _sound(stamp: float, *arrays: Float64Array) -> bool:
        return math.isfinite(stamp) and all(bool(np.isfinite(array).all()) for array in arrays)

    def _later(self, stamp: float) -> bool:
        """Whether the sample is newer than the last; after a clock was set back everything timed by it begins anew."""
        if stamp <= self._stamp:
            if self._stamp - stamp <= _CLOCK_SET_BACK:
                self._left_out += stamp < self._stamp
                return False
            self._fingers.restart()
            self._grip.begin_anew()
            for _, place in self._places:
                place.begin_anew()
            for _, pull in self._pulls:
                pull.give_up()
            self._wrench_stamp = -math.inf
        self._stamp = stamp
        return True

    def _note(self, part: TaskPart, stamp: float, message: str | None) -> None:
        if message is not None:
            self._jobs.append(Job(part.instruction, stamp, message))

    def executing(self, action_slice: ActionSlice) -> None:
        """These steps are about to be executed."""
        with self._lock:
            self._fingers.announce(action_slice)
            for _, pull in self._pulls:
                pull.resume()

    def returning(self) -> None:
        """What moves now is not the policy: what is held stays held, and a pull is over."""
        with self._lock:
            self._fingers.halt()
            for _, pull in self._pulls:
                pull.suspend()

    def jobs(self) -> tuple[Job, ...]:
        """Those seen done since the task began, in order."""
        with self._lock:
            return tuple(self._jobs)

    def finished(self, step: int, attempt: int) -> str | None:
        """When as many jobs were seen done as were asked for."""
        with self._lock:
            done, requested = len(self._jobs), self._requested
        return f"{done} jobs were seen done, {requested} were asked for" if 0 < requested <= done else None
