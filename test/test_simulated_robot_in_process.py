"""The simulated robot in one process runs slices as the nodes do, only faster."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ams_ros.errors import RobotError
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.faults.fault import Fault
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks import find_task
from ams_ros.types import ActionSlice

PROFILE = load_profile("widowx_250s")
OPEN, CLOSED = PROFILE.gripper.upper, PROFILE.gripper.lower
PERIOD = 0.05


@pytest.fixture
def robot() -> Iterator[SimulatedRobot]:
    plant = Plant(PROFILE)
    robot = SimulatedRobot(plant)
    robot.reset(find_task("cubes").sample(seed=3, objects=1))
    yield robot
    plant.close()


def slice_by(change: float, steps: int = 8, gripper: float | list[float] = OPEN) -> ActionSlice:
    """Every joint by `change` rad from the start pose, evenly over the steps."""
    joints = PROFILE.start + np.linspace(change / steps, change, steps)[:, None] * np.ones(6)
    return ActionSlice(joints, np.broadcast_to(gripper, steps).astype(float), PERIOD, steps, "test")


class StopAfter(StopRequest):
    """Asks to stop once it has been looked at a number of times; the robot looks once per controller update."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    @property
    def requested(self) -> bool:
        self._looks -= 1
        if self._looks == 0:
            self.request("enough")
        return super().requested


def test_a_slice_takes_its_steps_and_ends_at_its_last_row(robot):
    before = robot.plant.time
    execution = robot.execute(slice_by(0.2), StopRequest())
    assert (execution.steps, execution.completed) == (8, True)
    assert robot.plant.time - before == pytest.approx(8 * PERIOD)
    robot.advance(0.5)
    assert robot.joints().position[:-1] == pytest.approx(PROFILE.start + 0.2, abs=0.02)


def test_the_gripper_moves_where_the_slice_says_and_the_arm_goes_on(robot):
    execution = robot.execute(slice_by(0.2, gripper=[OPEN] * 4 + [CLOSED] * 4), StopRequest())
    assert (execution.steps, execution.completed) == (8, True)
    robot.advance(0.5)
    sample = robot.joints()
    assert sample.position[-1] == pytest.approx(CLOSED, abs=0.001)
    assert sample.position[:-1] == pytest.approx(PROFILE.start + 0.2, abs=0.02)


def test_a_stop_in_the_middle_leaves_the_arm_still_and_says_how_far_it_came(robot):
    execution = robot.execute(slice_by(0.4), StopAfter(22))
    assert not execution.completed
    assert execution.message == "enough"
    assert execution.steps == 4
    sample = robot.joints()
    assert np.abs(sample.velocity[:-1]).max() < 0.01
    moved = sample.position[:-1] - PROFILE.start
    assert (moved > 0.1).all()
    assert (moved < 0.3).all()
    robot.advance(1.0)
    assert robot.joints().position[:-1] == pytest.approx(sample.position[:-1], abs=0.012)


def test_a_stop_before_the_slice_runs_nothing(robot):
    stop = StopRequest()
    stop.request("not now")
    execution = robot.execute(slice_by(0.4), stop)
    assert (execution.steps, execution.completed, execution.message) == (0, False, "not now")
    assert robot.joints().position[:-1] == pytest.approx(PROFILE.start, abs=0.02)


def test_a_slice_for_another_arm_is_refused_with_the_controllers_reason(robot):
    wrong = ActionSlice(np.zeros((4, 7)), np.full(4, OPEN), PERIOD, 4, "test")
    with pytest.raises(RobotError, match="7 positions for 6 joints"):
        robot.execute(wrong, StopRequest())


def test_a_finger_target_out_of_range_is_refused(robot):
    with pytest.raises(RobotError, match=r"outside 0\.015"):
        robot.execute(slice_by(0.1, gripper=0.2), StopRequest())


def test_reset_brings_the_arm_back_and_time_goes_on(robot):
    robot.execute(slice_by(0.3, gripper=CLOSED), StopRequest())
    before = robot.plant.time
    robot.reset(find_task("cubes").sample(seed=4, objects=2))
    sample = robot.joints()
    assert sample.stamp >= before
    assert sample.position == pytest.approx([*PROFILE.start, OPEN], abs=1e-6)
    robot.advance(0.5)
    assert robot.joints().position[:-1] == pytest.approx(PROFILE.start, abs=0.02)


def test_the_same_slices_in_the_same_scene_end_in_the_same_state(robot):
    ends = []
    for _ in range(2):
        robot.reset(find_task("cubes").sample(seed=3, objects=1))
        robot.execute(slice_by(0.2), StopRequest())
        robot.execute(slice_by(-0.2, gripper=CLOSED), StopRequest())
        ends.append(robot.joints().position)
    assert np.array_equal(ends[0], ends[1])


def test_joint_states_may_be_late_but_not_silent(robot):
    robot.inject(Fault("drop_joint_states", duration=0.4))
    assert robot.joints().stamp == pytest.approx(robot.plant.time)
    robot.inject(Fault("drop_joint_states"))
    with pytest.raises(RobotError, match="no joint states"):
        robot.joints()


def test_a_driver_that_never_comes_back_is_waited_for_no_longer_than_a_result_may_take(robot):
    robot.inject(Fault("driver_restart", onset=0.1))
    with pytest.raises(RobotError, match="gave no result"):
        robot.execute(slice_by(0.2), StopRequest())


def test_an_observation_carries_both_cameras_the_joints_and_the_instruction(robot):
    observation = robot.observe("put the cubes in the bowl")
    assert observation.instruction == "put the cubes in the bowl"
    assert observation.joints.shape == (6,)
    assert observation.gripper == pytest.approx(OPEN)
    for camera in ("front", "wrist"):
        pixels = observation.images[camera].pixels
        assert pixels.shape == (128, 128, 3)
        assert pixels.std() > 5.0, "an empty picture"
