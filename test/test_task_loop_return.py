"""The way back to the start pose between two attempts, in a world of arithmetic (R3, E7)."""

from __future__ import annotations

from replay_world import PROFILE, ReplayWorld
from task_world import stopped

from ams_ros.errors import PlanningError
from ams_ros.types import Mode, Outcome


def test_an_arm_that_stands_elsewhere_is_brought_to_the_start_pose_first():
    world = ReplayWorld()
    world.source.position = 0.55
    result = world.run()
    assert (result.outcome, result.steps) == (Outcome.EXHAUSTED, 6)
    assert world.source.position == 0.0


def test_closed_fingers_open_on_the_way_unless_they_hold_something():
    for held, told in ((0.0, [PROFILE.gripper.upper]), (0.015, [])):
        world = ReplayWorld()
        world.source.position, world.robot.finger = 0.3, held
        way = world.replay.home.way(commanded=0.0, period=0.05)
        execution = world.replay.home.go(way, world.stop)
        assert world.robot.fingers_told == told
        assert execution.steps == way.steps == 3 + len(told)
        assert world.source.position == 0.0


def test_a_way_back_that_the_budget_does_not_reach_for_is_not_begun():
    world = ReplayWorld(2)
    result = world.run(budget=17)
    assert (result.outcome, result.steps, world.robot.followed) == (Outcome.BUDGET_SPENT, 16, [])
    assert world.pool.written == [("ep.0", True)]


def test_a_stop_on_the_way_back_ends_the_task_there():
    world = ReplayWorld(8)
    world.robot.on_the_way = {0: lambda: world.stop.request("enough")}
    result = world.run()
    assert (result.outcome, result.message) == (Outcome.CANCELED, "enough")
    assert result.steps == 64 + 3
    assert world.pool.written == [("ep.0", True)]


def test_an_exception_on_the_way_back_is_recovered_from_and_the_way_goes_on_e7():
    world = ReplayWorld(8, 2)
    world.robot.on_the_way = {0: stopped(1)}
    result = world.run(jobs=2)
    assert (result.outcome, result.exceptions, len(world.robot.followed)) == (Outcome.FINISHED, 1, 2)
    assert 1 in world.recovery.calls


def test_in_mode_reset_an_exception_ends_the_task_on_the_way_back_too():
    world = ReplayWorld(8, 2)
    world.robot.on_the_way = {0: stopped(1)}
    result = world.run(mode=Mode.RESET)
    assert (result.outcome, result.exceptions) == (Outcome.FAILED, 1)
    assert world.recovery.calls == []


def test_a_start_pose_that_is_never_reached_fails_the_task_after_a_bounded_number_of_ways():
    world = ReplayWorld(8, 2)
    world.robot.on_the_way = {number: stopped(number) for number in range(100)}
    result = world.run()
    assert result.outcome is Outcome.FAILED
    assert "start pose" in result.message
    assert len(world.robot.followed) == world.replay.home.settings.tries


def test_a_way_back_that_was_stopped_is_gone_more_slowly_the_next_time():
    world = ReplayWorld(8, 2)
    world.robot.on_the_way = {0: stopped(1), 1: stopped(2)}
    assert world.run(jobs=2).outcome is Outcome.FINISHED
    assert world.planner.scales == [0.5, 0.25, 0.125]


def test_an_arm_in_motion_is_brought_to_rest_before_a_way_from_there_is_planned():
    world = ReplayWorld()
    world.source.position, world.robot.speed = 0.3, 0.5
    home = world.replay.home
    way = home.way(PROFILE.gripper.upper, 0.05)
    assert (way.motion, world.planner.scales) == (None, [])
    assert (way.hold.joints[:, 0] == 0.3).all()
    world.robot.speed = 0.05
    assert home.way(PROFILE.gripper.upper, 0.05).motion is not None


def test_an_arm_that_never_comes_to_rest_fails_the_task():
    world = ReplayWorld(8, 2)
    world.robot.speed = 0.5
    result = world.run()
    assert result.outcome is Outcome.FAILED
    assert "start pose" in result.message
    assert world.robot.followed == []


def test_where_there_is_no_way_back_the_task_fails_saying_what_is_in_the_way():
    world = ReplayWorld(8)
    world.planner.error = PlanningError("the bowl is in the way")
    result = world.run()
    assert result.outcome is Outcome.FAILED
    assert "the bowl is in the way" in result.message
    assert "holds still" in result.message
