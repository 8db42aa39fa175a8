"""What goes wrong when it is told to: each fault of the simulated robot does what it says, then and there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.control_loop import RESTART_SECONDS, ControlLoop, arm_settings, gripper_settings
from ams_ros.simulation.downward_reach import DownwardReach
from ams_ros.simulation.faults.fault import FAULTS, GOALS, Fault, checked, random_direction
from ams_ros.simulation.layout import CubePlacement, SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tolerances import ToleranceRequest
from ams_ros.simulation.trajectory import Trajectory, Waypoint
from ams_ros.simulation.trajectory_controller import GoalEnd, GoalStatus
from ams_ros.types import JointSample

PROFILE = load_profile("widowx_250s")
EMPTY = SceneLayout(cubes=())


class Simulation:
    """A control loop that time passes in, and what its tap let through."""

    def __init__(self, loop: ControlLoop) -> None:
        self.loop, self.plant = loop, loop.plant
        self.samples: list[JointSample | None] = []
        self.ends: list[GoalEnd] = []

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / self.loop.period)):
            self.loop.update()
            self.plant.advance(self.loop.period)
            self.samples.append(self.loop.tap.joints())
            self.ends += self.loop.monitor_arm()[1]

    def go(self, change: float, seconds: float = 1.0) -> int:
        """Send the arm from where it is; waist, shoulder and elbow by `change` rad."""
        target = self.plant.arm_command + change * np.array([1.0, 0.5, -0.5, 0.0, 0.0, 0.0])
        trajectory = Trajectory(PROFILE.joint_names, (Waypoint(seconds, target),))
        assert self.loop.arm.reason_to_reject(trajectory, self.plant.time) is None
        return self.loop.arm.accept(trajectory, ToleranceRequest(), self.plant.time)[0]

    def inject(self, name: str, **fields: object) -> None:
        self.loop.faults.add(Fault(name, **fields), self.plant.time)

    @property
    def position(self) -> np.ndarray:
        return self.plant.joints().position[:6]

    @property
    def speed(self) -> float:
        velocity = self.plant.joints().velocity
        assert velocity is not None
        return float(np.abs(velocity[:6]).max())


@pytest.fixture(scope="module")
def shared_loop() -> Iterator[ControlLoop]:
    plant = Plant(PROFILE)
    yield ControlLoop(plant, arm_settings(PROFILE), gripper_settings(PROFILE))
    plant.close()


@pytest.fixture
def simulation(shared_loop: ControlLoop) -> Simulation:
    shared_loop.arm.deactivate("next test")
    shared_loop.monitor_arm()
    shared_loop.reset(EMPTY)
    shared_loop.gripper.abort()
    shared_loop.gripper.monitor(shared_loop.plant.time)
    return Simulation(shared_loop)


def test_a_push_is_felt_while_it_lasts_and_not_before_or_after(simulation):
    simulation.run(0.3)
    rest, home = simulation.plant.wrench().force, simulation.position
    simulation.inject("push", onset=0.2, duration=0.3, magnitude=20.0, direction=(0.0, 2.0, 0.0))
    simulation.run(0.2)
    assert np.abs(simulation.plant.wrench().force - rest).max() < 0.1
    simulation.run(0.29)
    assert np.linalg.norm(simulation.plant.wrench().force - rest) == pytest.approx(20.0, abs=2.0)
    assert np.abs(simulation.position - home).max() > 0.01
    simulation.run(1.0)
    assert np.linalg.norm(simulation.plant.wrench().force - rest) < 0.5


def test_a_push_on_the_forearm_shows_in_the_motors_and_hardly_at_the_wrist(simulation):
    simulation.run(0.3)
    before, wrench = simulation.plant.joints().effort, simulation.plant.wrench().force
    simulation.inject("push", target="forearm", direction=(0.0, 1.0, 0.0))
    simulation.run(0.5)
    assert np.abs(simulation.plant.joints().effort - before).max() > 4.0
    assert np.linalg.norm(simulation.plant.wrench().force - wrench) < 1.0


def test_directions_are_drawn_anew_for_every_push_and_alike_for_every_seed(simulation):
    assert random_direction(3) == random_direction(3) != random_direction(4)
    assert np.linalg.norm(random_direction(3)) == pytest.approx(1.0)
    simulation.inject("push")
    first = simulation.loop.faults.on("push", simulation.plant.time).direction
    simulation.inject("push")
    assert simulation.loop.faults.on("push", simulation.plant.time).direction != first


def test_an_obstacle_waits_for_a_motion_and_then_stands_in_its_way(simulation):
    simulation.go(0.8)
    simulation.run(1.5)
    free = simulation.position
    simulation.loop.reset(EMPTY)
    simulation.inject("obstacle")
    simulation.run(0.3)
    assert simulation.loop.effective_since("obstacle") is None
    begun = simulation.plant.time
    simulation.go(0.8)
    simulation.run(1.5)
    assert begun < simulation.loop.effective_since("obstacle") < begun + 1.0
    assert np.abs(simulation.position - free).max() > 0.1
    simulation.loop.end_faults()
    simulation.run(1.0)
    assert simulation.position == pytest.approx(free, abs=0.02)


def test_an_obstacle_never_appears_inside_the_arm(simulation):
    over = DownwardReach(PROFILE).solve(np.array([0.27, 0.10, 0.13]), 0.0)
    simulation.loop.reset(SceneLayout(cubes=(), arm=over))
    home = simulation.position
    simulation.inject("obstacle", target="above_table")
    simulation.run(0.5)
    assert simulation.position == pytest.approx(home, abs=1e-3)
    assert simulation.loop.effective_since("obstacle") is None


def test_an_obstacle_that_is_not_there_is_in_no_picture(simulation):
    before = simulation.plant.render("front", 64, 64).pixels
    simulation.inject("obstacle", target="above_table")
    simulation.run(0.01)
    assert (simulation.plant.render("front", 64, 64).pixels != before).any()
    simulation.loop.end_faults()
    simulation.run(0.01)
    assert np.array_equal(simulation.plant.render("front", 64, 64).pixels, before)


def test_the_table_holds_up_the_fingers_that_press_on_it_and_nothing_else_is_felt(simulation):
    assert np.linalg.norm(simulation.plant.disturbances.contact_force()) == 0.0
    simulation.plant.command_arm(DownwardReach(PROFILE).solve(np.array([0.27, -0.05, -0.01]), yaw=0.0))
    simulation.run(1.5)
    x, y, z = simulation.plant.disturbances.contact_force()
    assert z > 10.0
    felt = np.linalg.norm(simulation.plant.wrench().force)
    assert abs(np.linalg.norm((x, y, z)) - felt) < 10.0, "the wrist feels the same, and the gripper's weight"


def test_a_slippery_cube_falls_out_of_a_grasp_that_held_it(simulation):
    place = np.array([0.27, -0.05, 0.020])
    cube = CubePlacement(place[0], place[1], 0.0, (0.85, 0.1, 0.1))
    simulation.loop.reset(SceneLayout(cubes=(cube,), arm=DownwardReach(PROFILE).solve(place, 0.0)))
    simulation.loop.gripper.accept(PROFILE.gripper.lower, simulation.plant.time)
    simulation.run(0.6)
    lifted = DownwardReach(PROFILE).solve(place + np.array([0.0, 0.0, 0.12]), 0.0)
    trajectory = Trajectory(PROFILE.joint_names, (Waypoint(0.8, lifted),))
    simulation.loop.arm.accept(trajectory, ToleranceRequest(), simulation.plant.time)
    simulation.run(1.2)
    assert simulation.plant.cube_poses()[0][0, 2] > 0.1
    simulation.inject("slippery")
    simulation.run(1.0)
    assert simulation.plant.cube_poses()[0][0, 2] < 0.03


def test_a_stuck_joint_stays_where_it_is_while_the_others_go_on(simulation):
    home = simulation.position
    simulation.inject("stuck_joint", target="shoulder", duration=1.0)
    simulation.go(0.6, seconds=0.8)
    simulation.run(0.9)
    moved = simulation.position - home
    assert abs(moved[1]) < 0.01
    assert moved[0] == pytest.approx(0.6, abs=0.03)
    simulation.run(1.0)
    assert simulation.position[1] - home[1] == pytest.approx(0.3, abs=0.03)


def test_saturated_motors_give_no_more_than_their_share(simulation):
    limit = 0.1 * PROFILE.effort
    simulation.inject("torque_saturation", magnitude=0.1)
    simulation.go(1.2, seconds=0.5)
    for _ in range(60):
        simulation.run(0.01)
        assert (np.abs(simulation.plant.joints().effort[:6]) <= limit + 1e-9).all()
    simulation.loop.end_faults()
    simulation.go(-1.2, seconds=0.5)
    hardest = np.zeros(6)
    for _ in range(50):
        simulation.run(0.01)
        hardest = np.maximum(hardest, np.abs(simulation.plant.joints().effort[:6]))
    assert (hardest > limit).any()


def test_dropped_joint_states_are_missing_for_as_long_as_told(simulation):
    simulation.inject("drop_joint_states", onset=0.1, duration=0.2)
    simulation.run(0.5)
    missing = [sample is None for sample in simulation.samples]
    assert missing == [False] * 9 + [True] * 20 + [False] * 21


def test_frozen_joint_states_repeat_the_last_sample_stamp_included(simulation):
    simulation.go(0.5)
    simulation.run(0.3)
    last = simulation.samples[-1]
    simulation.inject("freeze_joint_states", duration=0.2)
    simulation.run(0.19)
    assert all(sample is last for sample in simulation.samples[-19:])
    simulation.run(0.02)
    assert simulation.samples[-1].stamp == simulation.plant.time


def test_frozen_content_comes_under_fresh_stamps(simulation):
    simulation.go(0.5)
    simulation.run(0.3)
    last = simulation.samples[-1]
    simulation.inject("freeze_joint_states", target="content")
    simulation.run(0.1)
    assert np.array_equal(simulation.samples[-1].position, last.position)
    assert simulation.samples[-1].stamp == simulation.plant.time
    assert np.abs(simulation.position - last.position[:6]).max() > 0.01


def test_a_dropped_wrench_leaves_the_joint_states_alone(simulation):
    simulation.inject("drop_wrench")
    simulation.run(0.02)
    assert simulation.loop.tap.wrench() is None
    assert simulation.samples[-1] is not None


def test_samples_without_numbers_come_for_one_joint_or_for_the_wrench(simulation):
    simulation.inject("nan_samples", target="elbow")
    simulation.run(0.02)
    sample = simulation.samples[-1]
    for values in (sample.position, sample.velocity, sample.effort):
        assert np.isnan(values).tolist() == [name == "elbow" for name in sample.names]
    assert np.isfinite(simulation.plant.joints().position).all(), "the robot itself knows better"
    simulation.inject("nan_samples", target="wrench")
    simulation.run(0.02)
    assert np.isfinite(simulation.samples[-1].position).all()
    assert np.isnan(simulation.loop.tap.wrench().force).all()


def test_a_driver_that_refuses_cancels_may_refuse_goals_too(simulation):
    assert not simulation.loop.refuses("cancels")
    simulation.inject("refuse_cancel")
    simulation.run(0.01)
    assert simulation.loop.refuses("cancels")
    assert not simulation.loop.refuses("goals")
    simulation.inject("refuse_cancel", target=GOALS)
    simulation.run(0.01)
    assert simulation.loop.refuses("cancels")
    assert simulation.loop.refuses("goals")


def test_a_driver_that_ignores_cancels_goes_on_to_the_end(simulation):
    simulation.inject("ignore_cancel")
    home, goal = simulation.position, simulation.go(0.5)
    simulation.run(0.2)
    simulation.loop.cancel_arm(goal)
    simulation.run(1.2)
    assert [end.status for end in simulation.ends] == [GoalStatus.SUCCEEDED]
    assert simulation.position[0] - home[0] == pytest.approx(0.5, abs=0.03)


def test_the_drivers_own_stop_ends_every_goal_although_cancels_are_ignored(simulation):
    simulation.inject("ignore_cancel")
    home = simulation.position
    simulation.go(0.5)
    simulation.run(0.25)
    simulation.loop.gripper.accept(PROFILE.gripper.lower, simulation.plant.time)
    simulation.run(0.05)
    simulation.loop.stop()
    simulation.run(0.3)
    assert [end.status for end in simulation.ends] == [GoalStatus.ABORTED]
    assert simulation.loop.gripper.monitor(simulation.plant.time)[0].status is GoalStatus.ABORTED
    assert simulation.speed < 0.01
    assert simulation.position[0] - home[0] < 0.25
    assert simulation.plant.joints().position[-1] > PROFILE.gripper.lower + 0.002
    simulation.go(0.2)
    simulation.run(1.1)
    assert simulation.ends[-1].status is GoalStatus.SUCCEEDED


def test_a_restart_ends_goals_refuses_new_ones_is_silent_and_then_holds(simulation):
    simulation.go(0.5)
    simulation.run(0.2)
    simulation.samples.clear()
    back: list[float] = []
    simulation.loop.restart(lambda: back.append(simulation.plant.time))
    simulation.run(0.1)
    assert simulation.ends == [], "a driver that is away tells nobody"
    assert simulation.loop.refuses("cancels")
    trajectory = Trajectory(PROFILE.joint_names, (Waypoint(1.0, PROFILE.start),))
    assert simulation.loop.arm.reason_to_reject(trajectory, simulation.plant.time) == "the controller is not active"
    assert simulation.loop.gripper.reason_to_reject(0.02) == "the controller is not active"
    simulation.run(RESTART_SECONDS - 0.11)
    assert simulation.samples == [None] * round(RESTART_SECONDS / 0.01 - 1)
    assert simulation.loop.tap.wrench() is None
    assert back == []
    simulation.run(0.05)
    assert len(back) == 1
    assert [end.status for end in simulation.ends] == [GoalStatus.ABORTED]
    assert simulation.samples[-1] is not None
    assert simulation.speed < 0.01
    simulation.go(0.2)
    simulation.run(1.2)
    assert simulation.ends[-1].status is GoalStatus.SUCCEEDED


def test_faults_of_different_names_may_be_on_together_and_all_end_with_a_reset(simulation):
    simulation.run(0.3)
    friction = simulation.plant._model.dof_frictionloss.copy()
    torque = simulation.plant._model.jnt_actfrcrange.copy()
    for name in FAULTS:
        simulation.inject(name)
    simulation.run(0.05)
    assert not simulation.loop.arm.active
    assert simulation.samples[-1] is None
    simulation.loop.reset(EMPTY)
    assert simulation.loop.faults.empty
    assert simulation.loop.arm.active
    assert np.array_equal(simulation.plant._model.dof_frictionloss, friction)
    assert np.array_equal(simulation.plant._model.jnt_actfrcrange, torque)
    home = simulation.position
    simulation.run(0.3)
    assert simulation.position == pytest.approx(home, abs=2e-3)
    assert simulation.samples[-1] is not None


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (Fault("shove"), "fault: got 'shove', allowed: push, obstacle, slippery, stuck_joint"),
        (Fault("push", onset=-1.0), "push.onset: got -1.0, allowed: 0 to 3600 s"),
        (Fault("push", duration=float("nan")), "push.duration: got nan"),
        (Fault("push", magnitude=1e6), "push.magnitude: got 1000000.0, allowed: 0.1 to 500 N, 0 for 25"),
        (Fault("push", magnitude=float("nan")), "push.magnitude: got nan"),
        (Fault("push", target="elbow"), "push.target: got 'elbow', allowed: hand, forearm"),
        (Fault("push", direction=(0.0, 0.0, 0.0)), "push.direction: got"),
        (Fault("drop_wrench", direction=(1.0, 0.0, 0.0)), "drop_wrench.direction"),
        (Fault("stuck_joint", target="hand"), "stuck_joint.target: got 'hand', allowed: waist, shoulder, elbow"),
        (Fault("drop_joint_states", magnitude=1.0), "drop_joint_states.magnitude: got 1.0, allowed: 0"),
        (Fault("drop_joint_states", target="elbow"), "drop_joint_states.target: got 'elbow', allowed: none"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_is_allowed(fault, complaint):
    with pytest.raises(ConfigurationError) as raised:
        checked(fault, PROFILE)
    assert complaint in str(raised.value)
