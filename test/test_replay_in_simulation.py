"""Action replay with everything real in one process: policy, pool, guard, planner, evidence (R1-R3, E4)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ams_ros.benchmark.local_reuse import LocalReuse
from ams_ros.benchmark.local_slice_source import LocalSliceSource
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.policy.pi0 import load_policy
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.embedded_planner import EmbeddedPlanner
from ams_ros.recovery.recovery import Recovery
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.replay.evidence.robot_progress import RobotProgress
from ams_ros.replay.progress_feed import ProgressFeed
from ams_ros.replay.replay import Replay
from ams_ros.replay.return_to_start import ReturnToStart
from ams_ros.replay.task_file import load_task
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.guarded_robot import GuardedRobot
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks import find_task
from ams_ros.supervision.clock import SteadyClock
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop
from ams_ros.types import EventKind, Mode, Outcome, TaskRequest

PROFILE = load_profile("widowx_250s")
DRIVER = load_driver("simulated_widowx")
SURROUNDINGS = load_surroundings("table_and_bowl")
TASK = find_task("cubes")
SEED = 850_004
BUDGET = 900


class Place:
    """A robot at its table, with a pool of its own."""

    def __init__(self, plant: Plant) -> None:
        watched = WatchedRobot(PROFILE, DRIVER, ArmDynamics(PROFILE))
        self.plant, self.robot = plant, GuardedRobot(plant, watched, load_rule_settings(DRIVER))
        checker = ArmCollisionChecker(PROFILE, SURROUNDINGS)
        planner = EmbeddedPlanner(PROFILE, checker)
        self.recovery = Recovery(self.robot, planner, checker, PROFILE, DRIVER)
        self.feed, self.home = ProgressFeed(self.robot), ReturnToStart(self.robot, planner, PROFILE)
        self.policy = load_policy("cubes")

    def work(self, cubes: int, seed: int, done: int = 0):
        """Returns result, events and how many cubes lie in the bowl in truth. done: how many did from the beginning."""
        self.robot.reset(TASK.sample(seed, cubes, done))
        events = []
        with LocalReuse(self.policy) as reuse:
            replay = Replay(
                RobotProgress(PROFILE, DRIVER, SURROUNDINGS),
                self.feed,
                self.home,
                PROFILE.deadband,
                reuse.jobs,
                load_task("cubes", SURROUNDINGS),
            )
            loop = TaskLoop(
                LocalSliceSource(reuse.inference, self.robot, reuse.drain),
                self.robot,
                SteadyClock(),
                RestThresholds(),
                lambda _: None,
                recovery=self.recovery,
                replay=replay,
                on_event=events.append,
            )
            request = TaskRequest(TASK.instruction, Mode.AMS, BUDGET, seed, "ep", task="cubes", jobs=cubes - done)
            result = loop.run(request, StopRequest())
            assert not reuse.jobs.trouble
        self.robot.advance(1.0)
        return result, events, TASK.placed(self.plant)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    plant = Plant(PROFILE)
    yield Place(plant)
    plant.close()


def test_a_policy_taught_one_cube_puts_two_away_and_is_guided_by_its_own_first_success_r3(place):
    result, events, in_bowl = place.work(cubes=2, seed=SEED)
    assert (result.outcome, in_bowl, len(result.job_steps)) == (Outcome.FINISHED, 2, 2), result.message
    assert result.replays >= 1
    assert result.steps <= BUDGET
    by_kind = {kind: [event for event in events if event.kind is kind] for kind in EventKind}
    first_job = by_kind[EventKind.JOB][0]
    later = [event for event in by_kind[EventKind.SLICE] if event.attempt > first_job.attempt and event.slice == 0]
    assert later[0].reuse.guided_episode == first_job.episode
    assert later[0].step > first_job.step
    assert all(event.step > 0 for event in by_kind[EventKind.RETURNED])


def test_at_a_table_that_is_cleared_already_nothing_is_said_to_be_done_and_the_task_ends_by_itself_r1(place):
    result, events, in_bowl = place.work(cubes=2, seed=SEED, done=2)
    assert (result.outcome, in_bowl) == (Outcome.EXHAUSTED, 2), result.message
    assert result.job_steps == ()
    assert all(event.kind is not EventKind.JOB for event in events)


def test_the_way_back_of_an_arm_in_motion_ends_at_the_start_pose_and_alarms_nobody(place):
    place.robot.reset(TASK.sample(SEED, 1))
    upper, stop = PROFILE.gripper.upper, StopRequest()
    away = PROFILE.start + np.array([0.5, 0.3, 0.2, 0.0, 0.2, 0.1])
    assert place.robot.follow(np.linspace(PROFILE.start, away, 20)[1:], 0.05, stop).completed
    before, steps = place.plant.time, 0
    ways = []
    while (way := place.home.way(upper, 0.05)) is not None:
        ways.append(way)
        execution = place.home.go(way, stop)
        assert execution.completed, execution.message
        assert execution.steps == way.steps
        steps += way.steps
    assert [way.motion is not None for way in ways] == [False, True], "it was in motion, and one way was enough"
    assert place.plant.time - before <= (steps + 2) * 0.05 + 0.5
    assert np.abs(place.robot.joints().position[:-1] - PROFILE.start).max() < 0.02
    assert place.robot.exceptions == []
