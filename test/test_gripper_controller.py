"""The gripper controller tells arriving from stalling."""

from __future__ import annotations

import pytest

from ams_ros.errors import ConfigurationError
from ams_ros.simulation.gripper_controller import GripperController, GripperReport, GripperSettings
from ams_ros.simulation.trajectory_controller import GoalStatus

OPEN, CLOSED, PERIOD = 0.037, 0.015, 0.01


class Fingers:
    """A controller on fingers that close at 0.1 m/s until they touch something at `blocked`."""

    def __init__(self, blocked: float = 0.0, **changes) -> None:
        self.controller = GripperController(GripperSettings("finger", CLOSED, OPEN, **changes))
        self.position, self.target, self.blocked = OPEN, OPEN, blocked
        self.now, self.velocity = 0.0, 0.0
        self.reports: list[GripperReport] = []

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD)):
            command = self.controller.update(self.now, self.position, self.velocity, 1.0)
            self.target = self.target if command is None else command
            before, wanted = self.position, max(self.target, self.blocked)
            self.position += max(-0.001, min(0.001, wanted - before))
            self.velocity = (self.position - before) / PERIOD
            self.now += PERIOD
            self.reports += self.controller.monitor(self.now)

    @property
    def ends(self) -> list[GripperReport]:
        return [report for report in self.reports if report.status is not None]


def test_fingers_that_arrive_reach_the_goal():
    fingers = Fingers()
    goal = fingers.controller.accept(CLOSED, fingers.now)
    fingers.run(0.5)
    (end,) = fingers.ends
    assert (end.goal, end.status, end.reached_goal, end.stalled) == (goal, GoalStatus.SUCCEEDED, True, False)
    assert end.position == pytest.approx(CLOSED, abs=0.001)
    assert fingers.controller.idle


@pytest.mark.parametrize(("allow", "status"), [(True, GoalStatus.SUCCEEDED), (False, GoalStatus.ABORTED)])
def test_fingers_that_meet_something_stall_and_keep_pressing(allow, status):
    fingers = Fingers(blocked=0.02, allow_stalling=allow)
    fingers.controller.accept(CLOSED, fingers.now)
    fingers.run(1.0)
    (end,) = fingers.ends
    assert (end.status, end.reached_goal, end.stalled) == (status, False, True)
    assert end.position == pytest.approx(0.02)
    assert fingers.target == CLOSED


def test_a_new_goal_aborts_the_running_one():
    fingers = Fingers()
    first = fingers.controller.accept(CLOSED, fingers.now)
    fingers.run(0.05)
    second = fingers.controller.accept(OPEN, fingers.now)
    fingers.run(0.5)
    assert [(end.goal, end.status) for end in fingers.ends] == [
        (first, GoalStatus.ABORTED),
        (second, GoalStatus.SUCCEEDED),
    ]


def test_a_cancelled_goal_holds_the_fingers_where_they_are():
    fingers = Fingers()
    goal = fingers.controller.accept(CLOSED, fingers.now)
    fingers.run(0.1)
    at = fingers.position
    fingers.controller.cancel(goal)
    fingers.run(0.3)
    assert fingers.position == pytest.approx(at, abs=1e-6)
    assert fingers.ends[0].status is GoalStatus.CANCELED


def test_feedback_comes_at_the_monitor_rate_while_the_goal_runs():
    fingers = Fingers(blocked=0.02, stall_timeout=0.5)
    fingers.controller.accept(CLOSED, fingers.now)
    fingers.run(0.3)
    assert len(fingers.reports) == 6
    assert not any(report.stalled or report.reached_goal for report in fingers.reports)


def test_a_position_the_fingers_cannot_take_is_refused():
    controller = Fingers().controller
    assert "outside" in controller.reason_to_reject(0.1)
    assert "outside" in controller.reason_to_reject(float("nan"))
    assert controller.reason_to_reject(OPEN) is None
    controller.active = False
    assert "not active" in controller.reason_to_reject(OPEN)


def test_settings_that_could_never_tell_a_stall_are_refused():
    with pytest.raises(ConfigurationError, match=r"gripper\.stall_timeout"):
        GripperSettings("finger", CLOSED, OPEN, stall_timeout=0.0)
