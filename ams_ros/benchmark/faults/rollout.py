"""Tasks with and without a fault, each under the guard and, on the same scene and noise, without it."""

from __future__ import annotations

from collections.abc import Iterable

from ams_ros.benchmark.faults.cases import CASES
from ams_ros.benchmark.faults.durations import DurationFigures, slice_durations
from ams_ros.benchmark.faults.effect import effect_since
from ams_ros.benchmark.faults.trial import CleanTrial, FaultTrial, SeenStop, TaskEnd
from ams_ros.benchmark.faults.truth import judged
from ams_ros.benchmark.faults.witness import Witness, WitnessedPlant, stops
from ams_ros.benchmark.local_reuse import ROBOT
from ams_ros.benchmark.local_slice_source import LocalSliceSource
from ams_ros.exception.guard_state import LATCHED
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.policy.inference import SliceInference
from ams_ros.policy.protocol import Policy
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.embedded_planner import EmbeddedPlanner
from ams_ros.recovery.recovery import Recovery
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.faults.fault import Fault
from ams_ros.simulation.guarded_robot import GuardedRobot, GuardOptions
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks.cubes import CubesTask
from ams_ros.supervision.clock import SteadyClock
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop
from ams_ros.types import Mode, Outcome, TaskRequest, TaskStatus

DRIVER = "simulated_widowx"
SURROUNDINGS = "table_and_bowl"

_AFTERWARDS = 1.0
"""s for which a robot that was given up is looked at."""


class FaultRollout:
    """One policy, one robot with the guard in front of it and one without, for any fault and scene."""

    def __init__(self, policy: Policy, cap: int) -> None:
        """Build both plants once. cap: step budget of every task."""
        self._inference, self._task, self._cap = SliceInference(policy), CubesTask(), cap
        self._profile, self._driver = load_profile(ROBOT), load_driver(DRIVER)
        watched = WatchedRobot(self._profile, self._driver, ArmDynamics(self._profile))
        self._plant = WitnessedPlant(self._profile)
        self._guarded = GuardedRobot(self._plant, watched, load_rule_settings(self._driver))
        self._direct = SimulatedRobot(Plant(self._profile))
        checker = ArmCollisionChecker(self._profile, load_surroundings(SURROUNDINGS))
        planner = EmbeddedPlanner(self._profile, checker)
        self._recovery = Recovery(self._guarded, planner, checker, self._profile, self._driver)

    def fault(self, name: str, seed: int) -> FaultTrial:
        """One task of one cube in which that fault is injected."""
        case = CASES[name]
        faults = case.faults(seed, self._profile)
        shown = next(fault for fault in faults if fault.name == case.shows)
        direct = self._without_guard(seed, faults)
        guarded, witness = self._with_guard(seed, faults)
        begun = self._guarded.effective_since(case.shows)
        effect = effect_since(shown, begun, witness.moments, self._profile)
        seen = self._seen(witness)
        since = [stop for stop in seen if effect is not None and stop.begun >= effect - self._plant.timestep]
        held = False
        if guarded.outcome == Outcome.FAILED.value:
            self._guarded.advance(_AFTERWARDS)
            held = self._guarded.guard.state in LATCHED and witness.moments[-1].speed <= self._driver.rest.velocity
        return FaultTrial(
            fault=faults[0],
            seed=seed,
            injected=faults[0].onset < guarded.seconds,
            effect=effect,
            early=len(seen) - len(since),
            caught=since[0] if since else None,
            exceptions=len(seen),
            guarded=guarded,
            direct=direct,
            held=held,
        )

    def clean(self, seed: int) -> CleanTrial:
        """One task of one cube in which nothing is injected."""
        direct = self._without_guard(seed, ())
        guarded, witness = self._with_guard(seed, ())
        alarms = tuple(judged(stop, witness) for stop in self._seen(witness))
        return CleanTrial(seed, alarms, guarded, direct)

    def durations(self, seeds: Iterable[int]) -> DurationFigures:
        """Simulated time of the same slices with the guard and without."""
        self._plant.look = None
        return slice_durations(self._inference, self._guarded, self._direct, seeds)

    def _with_guard(self, seed: int, faults: tuple[Fault, ...]) -> tuple[TaskEnd, Witness]:
        robot = self._guarded
        self._plant.look = None
        robot.reset(self._task.sample(seed, 1))
        witness = Witness(robot, self._plant)
        end = self._run(robot, seed, faults, self._recovery)
        # What the guard did with the last samples.
        witness.look()
        return end, witness

    def _without_guard(self, seed: int, faults: tuple[Fault, ...]) -> TaskEnd:
        robot = self._direct
        robot.reset(self._task.sample(seed, 1))
        # As long as the other one rests, so that both see the same to the last bit.
        robot.advance(GuardOptions().settle)
        return self._run(robot, seed, faults, None)

    def _run(self, robot: SimulatedRobot, seed: int, faults: tuple[Fault, ...], recovery: Recovery | None) -> TaskEnd:
        for fault in faults:
            robot.inject(fault)
        begin = robot.plant.time
        source = LocalSliceSource(self._inference, robot)
        loop = TaskLoop(source, robot, SteadyClock(), RestThresholds(), _silent, recovery=recovery)
        mode = Mode.DIRECT if recovery is None else Mode.EXCEPTION
        result = loop.run(TaskRequest(self._task.instruction, mode, self._cap, seed), StopRequest())
        success = self._task.placed(robot.plant) == 1
        return TaskEnd(success, result.outcome.value, result.message, result.steps, robot.plant.time - begin)

    def _seen(self, witness: Witness) -> list[SeenStop]:
        told = [exception for exception in self._guarded.exceptions if exception.acted]
        truth = stops(witness.moments, self._driver.rest.velocity)
        return [SeenStop(each, stop.begun, stop.told, stop.rested) for each, stop in zip(told, truth, strict=True)]


def _silent(progress: TaskStatus) -> None:
    """Progress is of no interest here."""
