"""The simulated robot with the exception guard in front of it: seen, stopped, told, released (E1, E4, E7)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.exception.guard import GuardState
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import RuleSettings, changed, load_rule_settings
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
from ams_ros.simulation.tasks import find_task
from ams_ros.types import ActionException, ActionSlice, ExceptionKind, Execution, JointSample, Severity, StopStage

PROFILE = load_profile("widowx_250s")
DRIVER = load_driver("simulated_widowx")
SCENE = find_task("cubes").sample(seed=3, objects=1)
OPEN = PROFILE.gripper.upper
PERIOD = 0.05
SHOVE = Fault("push", onset=0.2, duration=0.3, magnitude=80.0, direction=(0.0, -1.0, 0.0))
STRIKE = Fault("push", onset=0.2, duration=0.3, magnitude=25.0, direction=(0.0, -1.0, 0.0))


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    plant = Plant(PROFILE)
    yield plant
    plant.close()


@pytest.fixture(scope="module")
def watched() -> WatchedRobot:
    return WatchedRobot(PROFILE, DRIVER, ArmDynamics(PROFILE))


@pytest.fixture(scope="module")
def rules() -> RuleSettings:
    # Nothing is touched here, so a sensitive wrist does no harm; the defaults leave room for setting fingers down.
    return changed(load_rule_settings(DRIVER), "wrench_jump", {"force": 12.0})


@pytest.fixture
def guarded(plant, watched, rules):
    def build(**options: object) -> GuardedRobot:
        robot = GuardedRobot(plant, watched, rules, GuardOptions(**options))
        robot.reset(SCENE)
        return robot

    return build


def swing(robot: SimulatedRobot, change: float = 0.4, steps: int = 16) -> ActionSlice:
    """From where the arm is commanded to be, the waist by `change` rad and the shoulder by half of it."""
    rows = np.linspace(change / steps, change, steps)[:, None] * np.array([1.0, 0.5, -0.5, 0.0, 0.0, 0.0])
    return ActionSlice(robot.plant.arm_command + rows, np.full(steps, OPEN), PERIOD, steps, "swing")


def run(robot: SimulatedRobot, change: float = 0.4, steps: int = 16) -> Execution:
    return robot.execute(swing(robot, change, steps), StopRequest())


def broken_off(robot: GuardedRobot) -> ActionException:
    """Run a slice that something outside of the rules stops as software would."""
    due = robot.plant.time + 0.2

    def stop_it(sample: JointSample) -> None:
        if sample.stamp >= due and not robot.exceptions:
            told = (ExceptionKind.CONDITION, Severity.MINOR, "it is not as it should be")
            robot.guard.outside("outcome", *told, robot.plant.time)

    robot.listen(stop_it)
    exception = run(robot).exception
    assert exception is not None
    return exception


def speed(robot: SimulatedRobot) -> float:
    return float(np.abs(robot.plant.joints().velocity[:6]).max())


def test_an_undisturbed_robot_moves_as_it_does_without_a_guard_and_nothing_is_told(guarded, plant):
    robot = guarded()
    for change in (0.4, -0.4, 0.3):
        assert run(robot, change) == Execution(16, completed=True)
    assert robot.exceptions == []
    watched = robot.joints().position
    bare = SimulatedRobot(plant)
    bare.reset(SCENE)
    bare.advance(GuardOptions().settle)
    for change in (0.4, -0.4, 0.3):
        run(bare, change)
    assert bare.joints().position == pytest.approx(watched, abs=1e-9)


def test_a_push_is_seen_stopped_by_cancel_and_told_with_the_place_in_the_slice(guarded):
    robot = guarded()
    assert run(robot).completed
    robot.inject(STRIKE)
    begin = robot.plant.time
    execution = run(robot)
    exception = execution.exception
    assert exception is not None
    assert exception.kind is ExceptionKind.COLLISION
    assert begin + 0.2 <= exception.stamp < begin + 0.3
    assert (exception.stage, exception.stopped, exception.acted) == (StopStage.CANCEL, True, True)
    assert (exception.context_id, exception.slice) == ("swing", 1)
    assert exception.step in {3, 4, 5}
    assert not execution.completed
    assert execution.steps in {4, 5}
    assert execution.message == exception.message
    assert 0.0 < exception.acknowledge_seconds <= 0.02
    assert exception.rest_seconds > 0.0
    assert speed(robot) < 0.02


def test_while_a_stop_is_in_force_no_slice_moves_the_arm(guarded):
    robot = guarded()
    robot.inject(STRIKE)
    exception = run(robot).exception
    robot.advance(0.5)
    held = robot.joints().position[:-1]
    again = run(robot)
    assert (again.steps, again.completed, again.exception.number) == (0, False, exception.number)
    robot.advance(0.3)
    assert robot.joints().position[:-1] == pytest.approx(held, abs=0.02)


def test_after_a_release_a_recovery_motion_runs_and_after_a_release_for_good_a_slice(guarded):
    robot = guarded()
    robot.inject(STRIKE)
    exception = run(robot).exception
    robot.advance(0.5)
    robot.release(exception, recovery=True)
    assert robot.guard.state is GuardState.RECOVERING
    back = robot.plant.arm_command - np.linspace(0.01, 0.1, 10)[:, None]
    assert robot.follow(back, PERIOD, StopRequest()) == Execution(10, completed=True)
    robot.release(exception, recovery=False)
    assert run(robot, -0.3).completed
    with pytest.raises(RobotError, match="no stop is in force"):
        robot.release(exception, recovery=False)


def test_a_recovery_motion_is_stopped_and_told_as_well(guarded):
    robot = guarded()
    robot.inject(STRIKE)
    first = run(robot).exception
    robot.advance(0.5)
    robot.release(first, recovery=True)
    robot.inject(STRIKE)
    back = robot.plant.arm_command - np.linspace(0.02, 0.4, 20)[:, None] * np.eye(6)[0]
    second = robot.follow(back, PERIOD, StopRequest()).exception
    assert second.number == first.number + 1
    assert second.stopped
    assert [each.number for each in robot.exceptions] == [1, 2]


def test_an_exception_that_came_up_since_is_told_instead_of_released_and_recovery_takes_it_up_e5(guarded):
    robot = guarded()
    checker = ArmCollisionChecker(PROFILE, load_surroundings("table_and_bowl"))
    recovery = Recovery(robot, EmbeddedPlanner(PROFILE, checker), checker, PROFILE, DRIVER)
    recovery.begin_task()
    recovery.slice_began()
    first = broken_off(robot)
    assert (first.kind, first.number) == (ExceptionKind.CONDITION, 1)
    robot.inject(SHOVE)
    robot.advance(1.0)
    newer = robot.release(first, recovery=False)
    assert newer is robot.guard.exception
    assert newer.number > first.number
    assert newer.kind.hardware
    assert robot.guard.state is GuardState.STOPPED, "nothing was released"
    assert recovery.handle(first, StopRequest()) is None
    assert recovery.further == 1
    assert robot.guard.state is GuardState.WATCHING
    assert np.abs(robot.joints().position[:-1] - PROFILE.start).max() < 0.05, "the newer one's handling: a safe state"


@pytest.mark.parametrize(
    ("fault", "stage"),
    [
        (Fault("refuse_cancel"), StopStage.HOLD),
        (Fault("refuse_cancel", target="goals"), StopStage.DRIVER_STOP),
        (Fault("ignore_cancel"), StopStage.HOLD),
    ],
)
def test_a_driver_that_does_not_obey_is_stopped_by_a_higher_rung(guarded, fault, stage):
    robot = guarded()
    robot.inject(fault)
    robot.inject(STRIKE)
    exception = run(robot, 1.2, steps=60).exception
    assert (exception.stage, exception.stopped) == (stage, True)
    assert speed(robot) < 0.02
    held = robot.joints().position[:-1]
    robot.advance(0.5)
    assert robot.joints().position[:-1] == pytest.approx(held, abs=0.02)


def test_a_driver_that_goes_away_is_a_crash_whose_stop_a_person_must_look_at(guarded):
    robot = guarded()
    robot.inject(Fault("driver_restart", onset=0.2, duration=3.0))
    exception = run(robot).exception
    assert (exception.kind, exception.stopped, exception.acknowledge) == (ExceptionKind.CRASH, False, True)
    with pytest.raises(RobotError, match="a person must acknowledge"):
        robot.release(exception, recovery=True)
    with pytest.raises(RobotError, match="no joint states"):
        robot.joints()


def test_a_restart_brings_a_stopped_arm_back(guarded):
    robot = guarded()
    robot.inject(STRIKE)
    exception = run(robot).exception
    robot.release(exception, recovery=True)
    back = robot.plant.arm_command - np.linspace(0.02, 0.3, 10)[:, None] * np.eye(6)[0]
    assert robot.follow(back, PERIOD, StopRequest()).completed
    assert speed(robot) > 0.02, "a motion's goal ends before the arm is at rest"
    before = robot.plant.time
    robot.restart(StopRequest())
    assert 1.0 + DRIVER.restart[0].settle <= robot.plant.time - before < 1.8 + DRIVER.restart[0].settle
    assert len(robot.exceptions) == 1
    robot.release(exception, recovery=False)
    assert run(robot, -0.3).completed


def test_in_shadow_mode_what_is_seen_is_told_and_the_arm_goes_on(guarded):
    robot = guarded(shadow=True)
    robot.inject(STRIKE)
    assert run(robot).completed
    assert {each.kind for each in robot.exceptions} == {ExceptionKind.COLLISION}
    assert not any(each.acted for each in robot.exceptions)


def test_without_announcements_the_rules_for_hardware_still_guard_every_motion(guarded):
    robot = guarded(announce=False)
    robot.inject(STRIKE)
    exception = run(robot).exception
    assert (exception.kind, exception.stopped) == (ExceptionKind.COLLISION, True)
    assert (exception.context_id, exception.slice, exception.step) == ("", -1, -1)


def test_a_stop_request_ends_a_slice_without_an_exception(guarded):
    robot = guarded()

    class Later(StopRequest):
        @property
        def requested(self) -> bool:
            if robot.plant.time > begin + 0.3:
                self.request("enough")
            return super().requested

    begin = robot.plant.time
    execution = robot.execute(swing(robot), Later())
    assert (execution.completed, execution.message, execution.exception) == (False, "enough", None)
    assert speed(robot) < 0.02
    assert run(robot, -0.2).completed


def test_listeners_hear_every_sample_at_the_rate_asked_for(guarded):
    robot, heard = guarded(rate=250.0), list[JointSample]()
    robot.listen(heard.append)
    robot.advance(1.0)
    assert len(heard) == 250
    assert np.diff([sample.stamp for sample in heard]) == pytest.approx(0.004)


def test_a_rate_the_physics_does_not_allow_is_refused(guarded):
    with pytest.raises(ConfigurationError, match=r"rate: got 300\.0, allowed: 500 Hz divided by a whole number"):
        guarded(rate=300.0)


def test_each_reset_begins_with_a_guard_that_knows_of_nothing(guarded):
    robot = guarded()
    robot.inject(STRIKE)
    assert run(robot).exception is not None
    robot.reset(SCENE)
    assert (robot.exceptions, robot.guard.state) == ([], GuardState.WATCHING)
    assert run(robot).completed


def test_a_release_waits_until_a_silent_sensor_is_back(guarded):
    robot = guarded()
    robot.inject(Fault("drop_wrench", onset=0.2, duration=2.0))
    began = robot.plant.time
    exception = run(robot).exception
    robot.release(exception, recovery=True)
    assert robot.plant.time - began == pytest.approx(2.2, abs=0.05)
    robot.release(exception, recovery=False)
    assert run(robot, -0.3).completed
    assert len(robot.exceptions) == 1


def test_a_sensor_that_stays_silent_keeps_the_stop_in_force(guarded):
    robot = guarded()
    robot.inject(Fault("drop_wrench", onset=0.2))
    exception = run(robot).exception
    with pytest.raises(RobotError, match="no new wrenches"):
        robot.release(exception, recovery=True)
    assert robot.guard.state is GuardState.STOPPED
