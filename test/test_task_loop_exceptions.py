"""The task loop when the monitor stops the arm (E4)."""

from __future__ import annotations

import pytest
from task_world import World, stopped

from ams_ros.errors import RobotError
from ams_ros.supervision.rest import RestThresholds
from ams_ros.types import Execution, Mode, Outcome, Phase


def test_after_an_exception_the_rest_of_the_slice_is_discarded_and_a_fresh_one_is_inferred_e4():
    world = World(execute=8)
    world.robot.events = {1: stopped(1)}
    result = world.run(budget=24, mode=Mode.EXCEPTION, episode="ep")
    assert (result.outcome, result.steps, result.exceptions) == (Outcome.BUDGET_SPENT, 24, 1)
    assert [executed.horizon for executed in world.robot.executed] == [8, 8, 8, 4]
    broken, fresh = world.robot.executed[1:3]
    assert (broken.context_id, fresh.context_id) == ("c2", "c3")
    assert fresh.joints[0, 0] == pytest.approx(broken.joints[3, 0] + world.source.stride)
    assert [asked.index for asked in world.source.asked] == [0, 1, 2, 3]
    assert len({asked.seed for asked in world.source.asked}) == 4


def test_recovery_is_told_of_the_task_of_every_slice_and_of_every_exception_in_this_order():
    world = World()
    world.robot.events = {1: stopped(1), 2: stopped(2)}
    world.run(budget=24, mode=Mode.EXCEPTION)
    assert world.recovery.calls == ["begin", "slice", "slice", 1, "slice", 2, "slice"]


def test_progress_shows_recovering_and_counts_exceptions():
    world = World()
    world.robot.events = {0: stopped(1)}
    world.run(budget=8, mode=Mode.EXCEPTION)
    told = [(each.phase, each.step, each.exceptions) for each in world.progress]
    assert told == [
        (Phase.INFERRING, 0, 0),
        (Phase.EXECUTING, 0, 0),
        (Phase.RECOVERING, 4, 1),
        (Phase.INFERRING, 4, 1),
        (Phase.EXECUTING, 4, 1),
        (Phase.ENDED, 8, 1),
    ]


@pytest.mark.parametrize("answer", [None, "the robot holds still", RobotError("keep clear")])
def test_exceptions_met_on_the_way_back_count_too(answer):
    world = World()
    world.robot.events, world.recovery.answers, world.recovery.further = {0: stopped(1)}, {1: answer}, 2
    assert world.run(budget=8, mode=Mode.EXCEPTION).exceptions == 3


def test_a_recovery_that_gives_up_fails_the_task_with_its_words():
    world = World()
    world.robot.events, world.recovery.answers = {1: stopped(1)}, {1: "the robot holds still: press the button"}
    result = world.run(mode=Mode.EXCEPTION)
    assert (result.outcome, result.message) == (Outcome.FAILED, "the robot holds still: press the button")
    assert (result.steps, result.inferences, result.exceptions) == (12, 2, 1)


def test_a_recovery_broken_off_by_the_stop_is_a_canceled_task_that_tells_how_the_robot_stands():
    world = World()

    def break_off(stop):
        stop.request("enough")
        return "broken off: enough. The robot holds still"

    world.robot.events, world.recovery.answers = {0: stopped(1)}, {1: break_off}
    result = world.run(mode=Mode.EXCEPTION)
    assert (result.outcome, result.message) == (Outcome.CANCELED, "broken off: enough. The robot holds still")


def test_a_recovery_that_does_not_know_whether_the_robot_stands_still_is_a_failure_even_when_canceled():
    world = World()
    world.robot.events = {0: stopped(1)}
    world.recovery.answers = {1: RobotError("keep clear")}
    assert world.run(mode=Mode.EXCEPTION).outcome is Outcome.FAILED


@pytest.mark.parametrize("mode", [Mode.DIRECT, Mode.CONTEXT])
def test_in_the_other_modes_an_exception_is_counted_and_ends_the_task(mode):
    world = World()
    world.robot.events = {1: stopped(3)}
    result = world.run(mode=mode)
    assert (result.outcome, result.steps, result.exceptions) == (Outcome.FAILED, 12, 1)
    assert "exception 3, collision (wrench_jump): the force rose by 40 N" in result.message
    assert "holds still" in result.message
    assert "until the next task" in result.message
    assert world.recovery.calls == []
    assert world.progress[-1].exceptions == 1


@pytest.mark.parametrize("asked", [True, False])
def test_a_person_is_asked_to_acknowledge_only_what_the_monitor_will_not_lift_without(asked):
    world = World()
    world.robot.events = {1: stopped(3, acknowledge=asked)}
    message = world.run(mode=Mode.DIRECT).message
    assert ("ams acknowledge" in message) is asked
    assert ("lifts this stop" in message) is not asked


def test_an_arm_that_an_exception_did_not_stop_is_never_said_to_hold_still():
    world = World()
    world.robot.events = {0: stopped(1, stopped=False)}
    result = world.run()
    assert "NOT seen to come to rest" in result.message
    assert "holds still" not in result.message


class Canceled(World):
    """The task is canceled just when the monitor stops the arm."""

    def __init__(self, exception):
        super().__init__()
        self.exception, self.robot.execute = exception, self._execute

    def _execute(self, action_slice, stop):
        stop.request("enough")
        return Execution(2, False, "stopped", self.exception)


@pytest.mark.parametrize("mode", [Mode.DIRECT, Mode.CONTEXT, Mode.EXCEPTION])
def test_an_exception_while_the_task_is_canceled_is_told_and_not_recovered_from(mode):
    world = Canceled(stopped(1))
    result = world.run(mode=mode)
    assert (result.outcome, result.steps, result.exceptions) == (Outcome.CANCELED, 2, 1)
    assert result.message.startswith("enough; exception 1, collision")
    assert 1 not in world.recovery.calls


@pytest.mark.parametrize("mode", [Mode.DIRECT, Mode.CONTEXT])
def test_a_canceled_task_whose_arm_was_not_seen_to_stop_has_failed(mode):
    result = Canceled(stopped(1, stopped=False)).run(mode=mode)
    assert result.outcome is Outcome.FAILED
    assert "NOT seen to come to rest" in result.message


def test_a_slice_that_was_broken_off_says_nothing_about_the_policy_being_at_rest():
    still = RestThresholds().slices
    world = World(stride=0.0)
    world.robot.events = {still - 1: stopped(1)}
    result = world.run(budget=1500, mode=Mode.EXCEPTION)
    assert (result.outcome, result.inferences) == (Outcome.AT_REST, 2 * still)


def test_mode_exception_is_refused_where_nothing_can_recover():
    world = World(recovers=False)
    result = world.run(mode=Mode.EXCEPTION)
    assert result.outcome is Outcome.FAILED
    assert result.message.startswith("mode")
    assert world.source.asked == []
