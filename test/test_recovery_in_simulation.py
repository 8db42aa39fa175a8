"""Task loop, recovery, guard and simulated robot together: the arm is stopped, brought back and goes on (E4-E7)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ams_ros.exception.guard import GuardState
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.embedded_planner import EmbeddedPlanner
from ams_ros.recovery.recovery import Recovery
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.faults.fault import Fault
from ams_ros.simulation.guarded_robot import GuardedRobot
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop
from ams_ros.types import ActionSlice, ExceptionKind, Inference, Mode, Outcome, ReuseReport, TaskRequest

PROFILE = load_profile("widowx_250s")
DRIVER = load_driver("simulated_widowx")
SCENE = find_task("cubes").sample(seed=3, objects=1)
STEPS = 8
BUDGET = 64


class Swinging:
    """Slices that take the arm from wherever it is to and fro."""

    def __init__(self, robot):
        self.robot, self.slices = robot, 0

    def infer(self, request):
        self.slices += 1
        here = self.robot.joints().position[:-1]
        away = np.array([0.35 * np.sin(0.7 * self.slices), 0.1 * np.cos(self.slices) - 0.1, -0.05, 0, 0, 0])
        rows = here + np.linspace(1 / STEPS, 1, STEPS)[:, None] * (PROFILE.start + away - here)
        fingers = np.full(STEPS, PROFILE.gripper.upper)
        return Inference(ActionSlice(rows, fingers, 0.05, STEPS, f"c{self.slices}"), (), ReuseReport("off"))


class SimulationClock:
    def __init__(self, plant):
        self.plant = plant

    def now(self):
        return self.plant.time


@pytest.fixture(scope="module")
def robot() -> Iterator[GuardedRobot]:
    plant = Plant(PROFILE)
    watched = WatchedRobot(PROFILE, DRIVER, ArmDynamics(PROFILE))
    yield GuardedRobot(plant, watched, load_rule_settings(DRIVER), cameras=())
    plant.close()


@pytest.fixture(scope="module")
def recovery(robot):
    checker = ArmCollisionChecker(PROFILE, load_surroundings("table_and_bowl"))
    return Recovery(robot, EmbeddedPlanner(PROFILE, checker), checker, PROFILE, DRIVER)


def work(robot, recovery, *faults):
    robot.reset(SCENE)
    for fault in faults:
        robot.inject(fault)
    clock = SimulationClock(robot.plant)
    loop = TaskLoop(Swinging(robot), robot, clock, RestThresholds(), lambda _: None, recovery=recovery)
    return loop.run(TaskRequest("swing", Mode.EXCEPTION, BUDGET, 1), StopRequest())


def test_without_a_fault_nothing_is_recovered_from(robot, recovery):
    result = work(robot, recovery)
    assert (result.outcome, result.steps, result.exceptions) == (Outcome.BUDGET_SPENT, BUDGET, 0)


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (Fault("stuck_joint", onset=1.0, duration=0.6), {ExceptionKind.COLLISION}),
        (Fault("drop_joint_states", onset=1.0, duration=0.6), {ExceptionKind.CRASH}),
        (Fault("nan_samples", onset=1.0, duration=0.6), {ExceptionKind.CRASH}),
        (Fault("drop_wrench", onset=1.0, duration=0.6), {ExceptionKind.CRASH}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_after_a_fault_the_arm_is_brought_back_and_the_task_runs_to_its_budget_e4_e5(robot, recovery, fault, kinds):
    result = work(robot, recovery, fault)
    assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, BUDGET)
    assert result.exceptions == len(robot.exceptions) > 0
    assert {each.kind for each in robot.exceptions} == kinds
    assert all(each.stopped for each in robot.exceptions)
    assert robot.guard.state is GuardState.WATCHING


def test_a_driver_that_goes_away_while_the_arm_moves_ends_the_task_and_keeps_the_stop_in_force(robot, recovery):
    result = work(robot, recovery, Fault("driver_restart", onset=1.0, duration=0.6))
    assert result.outcome is Outcome.FAILED
    assert "NOT seen to come to rest" in result.message
    assert "ams acknowledge" in result.message
    assert robot.guard.state is GuardState.AWAITING_ACKNOWLEDGE
