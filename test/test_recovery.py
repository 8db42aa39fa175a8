"""Recovery from exceptions (E4-E7), around an arm of arithmetic and the real planner and collision checker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recoverable_arm import PROFILE, RecoverableArm, an_exception

from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.embedded_planner import EmbeddedPlanner
from ams_ros.recovery.handling import HandlingSettings
from ams_ros.recovery.recovery import Recovery, RecoverySettings
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.recovery.wording import told
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.stop_request import StopRequest
from ams_ros.types import ExceptionKind, Severity, StopStage

CHECKER = ArmCollisionChecker(PROFILE, load_surroundings("table_and_bowl"))
DRIVER = load_driver("simulated_widowx")
TURNED = PROFILE.start + np.array([0.4, 0, 0, 0, 0, 0])
FURTHER = PROFILE.start + np.array([0.6, -0.2, 0, 0, 0.1, 0])
WITHIN = 0.003


class World:
    def __init__(self, driver=DRIVER, settings=None, **arm):
        self.arm, self.stop = RecoverableArm(**arm), StopRequest()
        planner = EmbeddedPlanner(PROFILE, CHECKER)
        self.recovery = Recovery(self.arm, planner, CHECKER, PROFILE, driver, settings=settings)
        self.recovery.begin_task()

    def slice(self, *poses):
        self.recovery.slice_began()
        self.arm.move(*poses)

    def meet(self, exception):
        return self.recovery.handle(self.arm.stop_for(replace(exception, stamp=self.arm.time)), self.stop)

    def at(self, pose):
        return np.abs(self.arm.position - pose).max() < WITHIN


@pytest.mark.parametrize("kind", [ExceptionKind.UNEXPECTED_ACTION, ExceptionKind.CONDITION])
def test_after_a_software_exception_the_stop_is_released_and_nothing_moves_e5(kind):
    world = World()
    world.slice(TURNED)
    assert world.meet(an_exception(kind)) is None
    assert world.arm.calls == ["release"]
    assert world.at(TURNED)


@pytest.mark.parametrize("kind", [ExceptionKind.TORQUE, ExceptionKind.MOMENTUM, ExceptionKind.UNREACHABLE])
def test_after_a_hardware_exception_the_arm_goes_back_to_where_the_slice_began_e5_e6(kind):
    world = World()
    world.slice(TURNED)
    world.slice(FURTHER)
    assert world.meet(an_exception(kind)) is None
    assert world.arm.calls == ["release for recovery", "follow", "release"]
    assert world.at(TURNED)
    assert world.arm.released == "for good"


def test_after_a_collision_the_robot_is_restarted_once_it_is_safe_e5():
    world = World()
    world.slice(TURNED)
    assert world.meet(an_exception(ExceptionKind.COLLISION)) is None
    assert world.arm.calls == ["release for recovery", "follow", "restart", "release"]
    assert world.at(PROFILE.start)


def test_a_rollback_that_is_itself_stopped_is_followed_by_a_planned_way_to_the_safe_pose_e7():
    world = World(stops={0: an_exception(ExceptionKind.TORQUE, number=2)})
    world.slice(TURNED)
    assert world.meet(an_exception(ExceptionKind.TORQUE)) is None
    assert world.arm.calls == ["release for recovery", "follow"] * 2 + ["release"]
    assert world.at(PROFILE.safe)
    assert world.recovery.further == 1


def test_when_nothing_gets_through_the_task_ends_held_and_says_why_and_what_to_do():
    stops = {n: an_exception(ExceptionKind.TORQUE, number=2 + n) for n in range(2)}
    world = World(stops=stops)
    world.slice(TURNED)
    reason = world.meet(an_exception(ExceptionKind.TORQUE))
    assert "exception 3, torque" in reason
    assert "no safe state could be reached" in reason
    assert "holds still" in reason
    assert "the next task lifts the stop" in reason
    assert "acknowledge" not in reason
    assert world.arm.calls == ["release for recovery", "follow"] * 2
    assert world.arm.released == ""


def test_a_blocked_way_back_is_replaced_by_a_planned_one():
    low = PROFILE.start.copy()
    while CHECKER.collides(low) is None:
        low += np.array([0, 0.01, 0, 0, -0.01, 0])
    world = World(position=low)
    world.slice(PROFILE.start)
    assert world.meet(an_exception(ExceptionKind.TORQUE)) is None
    assert world.at(PROFILE.safe)


def test_exceptions_that_come_again_go_back_to_the_last_good_pose():
    world = World()
    world.slice(TURNED)
    world.slice(FURTHER)
    assert world.meet(an_exception(ExceptionKind.TORQUE)) is None
    assert world.at(TURNED)
    world.slice(FURTHER)
    assert world.meet(an_exception(ExceptionKind.TORQUE, number=2)) is None
    assert world.at(PROFILE.start)


def test_a_robot_that_refuses_to_move_after_a_collision_is_restarted_and_then_brought_back():
    world = World(stuck=True)
    world.slice(TURNED)
    assert world.meet(an_exception(ExceptionKind.COLLISION)) is None
    assert world.arm.calls == ["release for recovery", "follow", "follow", "restart", "follow", "release"]
    assert world.at(PROFILE.start)


def test_a_collision_on_the_way_back_brings_about_the_restart_that_torque_would_not():
    world = World(stops={0: an_exception(ExceptionKind.COLLISION, number=2)})
    world.slice(TURNED)
    assert world.meet(an_exception(ExceptionKind.TORQUE)) is None
    assert world.arm.calls[-2:] == ["restart", "release"]


@pytest.mark.parametrize(
    "exception",
    [
        an_exception(severity=Severity.CRITICAL, acknowledge=True),
        an_exception(ExceptionKind.CONDITION, acknowledge=True),
    ],
)
def test_what_is_critical_moves_nothing_and_asks_for_a_person(exception):
    world = World()
    world.slice(TURNED)
    reason = world.meet(exception)
    assert world.arm.calls == []
    assert "A person must now" in reason
    assert "holds still" in reason
    assert "ams acknowledge" in reason


def test_an_arm_not_seen_to_stop_is_never_said_to_hold_still():
    world = World()
    world.slice(TURNED)
    with pytest.raises(RobotError, match="NOT seen to come to rest") as error:
        world.meet(an_exception(stopped=False, stage=StopStage.DEACTIVATE))
    assert "holds still" not in str(error.value)
    assert world.arm.calls == []


@pytest.mark.parametrize(
    ("exception", "words"),
    [
        (an_exception(), "exception 1, collision (a_rule): something happened; the arm was stopped and holds still"),
        (an_exception(stopped=False, acted=False), "nothing was stopped, as the monitor only watches"),
        (an_exception(stopped=False, stage=StopStage.HOLD), "NOT seen to come to rest (last tried: hold)"),
        (an_exception(ExceptionKind.UNEXPECTED_ACTION), "exception 1, unexpected action"),
    ],
)
def test_an_exception_is_told_with_how_the_arm_stands(exception, words):
    assert words in told(exception)


def test_a_driver_that_cannot_restart_leaves_a_serious_collision_to_a_person_with_its_own_words():
    world = World(driver=replace(DRIVER, restart=(), by_hand="press the green button"))
    world.slice(TURNED)
    assert "press the green button" in world.meet(an_exception(ExceptionKind.COLLISION))
    assert world.arm.calls == []


def test_a_restart_that_fails_leaves_it_open_whether_the_arm_stands_still():
    world = World(restarting=RobotError("restart: no answer within 2 s"))
    world.slice(TURNED)
    with pytest.raises(RobotError, match=r"restart: no answer within 2 s.*keep clear"):
        world.meet(an_exception(ExceptionKind.COLLISION))
    assert world.arm.calls[-1] == "restart"


def test_a_stop_that_cannot_be_released_ends_the_task_held():
    world = World(releasing=RobotError("a goal has not ended at the controller"))
    world.slice(TURNED)
    reason = world.meet(an_exception(ExceptionKind.TORQUE))
    assert "could not be released: a goal has not ended at the controller" in reason
    assert world.arm.calls == ["release for recovery"]


def test_a_hardware_exception_that_comes_up_while_a_software_one_is_handled_is_handled_itself_e5():
    world = World(coming=[an_exception(ExceptionKind.TORQUE, number=2)])
    world.slice(TURNED)
    world.slice(FURTHER)
    assert world.meet(an_exception(ExceptionKind.CONDITION)) is None
    assert world.arm.calls == ["release", "release for recovery", "follow", "release"]
    assert world.at(TURNED)
    assert world.recovery.further == 1


def test_what_was_due_for_an_exception_stays_due_when_a_lesser_one_comes_up_before_anything_moved_e5():
    world = World(coming=[an_exception(ExceptionKind.CONDITION, number=2)])
    world.slice(TURNED)
    assert world.meet(an_exception(ExceptionKind.COLLISION)) is None
    assert world.arm.calls == ["release for recovery", "release for recovery", "follow", "restart", "release"]
    assert world.at(PROFILE.start)


def test_what_was_done_for_an_exception_is_not_done_again_for_one_that_comes_up_afterwards():
    class LateArm(RecoverableArm):
        def restart(self, stop):
            super().restart(stop)
            self.coming.append(an_exception(ExceptionKind.CONDITION, number=2))

    world = World()
    world.arm.__class__ = LateArm
    world.slice(TURNED)
    assert world.meet(an_exception(ExceptionKind.COLLISION)) is None
    assert world.arm.calls == ["release for recovery", "follow", "restart", "release", "release"]


def test_an_exception_that_comes_up_and_asks_for_a_person_is_not_released_e5():
    world = World(coming=[an_exception(ExceptionKind.TORQUE, number=2, severity=Severity.CRITICAL)])
    world.slice(TURNED)
    reason = world.meet(an_exception(ExceptionKind.CONDITION))
    assert reason.startswith("exception 2")
    assert "A person must now" in reason
    assert world.arm.calls == ["release"]


def test_exceptions_that_never_cease_to_come_up_end_the_task_after_a_bounded_number_e7():
    world = World(coming=[an_exception(ExceptionKind.CONDITION, number=2 + each) for each in range(50)])
    world.slice(TURNED)
    assert "5 are allowed" in world.meet(an_exception(ExceptionKind.CONDITION))
    assert world.arm.calls == ["release"] * 5
    assert world.recovery.further == 5


def test_a_stop_before_anything_moved_begins_no_motion():
    world = World()
    world.slice(TURNED)
    world.stop.request("canceled by the client")
    reason = world.meet(an_exception(ExceptionKind.TORQUE))
    assert "canceled by the client" in reason
    assert world.arm.calls == []


def test_a_stop_during_the_way_back_ends_it_there():
    world = World()
    world.arm.during = {0: lambda: world.stop.request("canceled by the client")}
    world.slice(TURNED)
    reason = world.meet(an_exception(ExceptionKind.TORQUE))
    assert "broken off: canceled by the client" in reason
    assert world.arm.calls == ["release for recovery", "follow"]
    assert world.arm.released == "for recovery"


def test_joint_states_that_come_back_in_time_are_waited_for():
    world = World()
    world.slice(TURNED)
    world.arm.silent = 3
    assert world.meet(an_exception(ExceptionKind.CRASH)) is None
    assert world.at(PROFILE.start)


def test_a_stop_ends_the_wait_for_joint_states():
    world = World(settings=RecoverySettings(joints_wait=60.0))
    world.slice(TURNED)
    looks = []

    def silent():
        looks.append(None)
        if len(looks) == 3:
            world.stop.request("canceled by the client")
        raise RobotError("joint states are silent")

    world.arm.joints = silent
    assert "broken off: canceled by the client" in world.meet(an_exception(ExceptionKind.CRASH))
    assert len(looks) == 3


def test_joint_states_that_stay_away_end_the_task():
    world = World(settings=RecoverySettings(joints_wait=0.1))
    world.slice(TURNED)
    world.arm.silent = 1000
    assert "joint states are silent" in world.meet(an_exception(ExceptionKind.CRASH))
    assert world.arm.calls == []


def test_a_joint_that_reads_no_number_is_never_planned_from():
    world = World(settings=RecoverySettings(joints_wait=0.1))
    world.slice(TURNED)
    world.arm.position = np.full(6, np.nan)
    assert "expected 6 finite angles" in world.meet(an_exception(ExceptionKind.CRASH))
    assert world.arm.calls == []


def test_a_goal_that_was_said_to_be_reached_but_was_not_is_not_taken_for_a_safe_state():
    world = World(settings=RecoverySettings(reached=1e-9))
    world.slice(TURNED)
    follow = world.arm.follow

    def fall_short(joints, period, stop):
        return follow(joints - 0.001, period, stop)

    world.arm.follow = fall_short
    reason = world.meet(an_exception(ExceptionKind.TORQUE))
    assert "0.001 rad from its goal" in reason


def test_retries_end_and_a_new_task_begins_with_none():
    settings = RecoverySettings(handling=HandlingSettings(per_window=2))
    world = World(settings=settings)
    for number in (1, 2):
        world.slice(TURNED)
        assert world.meet(an_exception(ExceptionKind.CONDITION, number=number)) is None
    world.slice(FURTHER)
    assert "exception 3 within 60 s and 2 are allowed" in world.meet(an_exception(ExceptionKind.CONDITION, number=3))
    world.recovery.begin_task()
    world.slice(TURNED)
    assert world.meet(an_exception(ExceptionKind.CONDITION, number=4)) is None


@pytest.mark.parametrize("key", ["scale", "plan_timeout", "joints_wait", "reached"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), 1e9])
def test_settings_that_could_never_be_met_are_refused(key, value):
    with pytest.raises(ConfigurationError, match=rf"recovery\.{key}"):
        RecoverySettings(**{key: value})
