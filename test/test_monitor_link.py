"""What the supervisor makes of a monitor that refuses to lift a stop (E7), without a graph around it."""

from __future__ import annotations

import threading

import pytest
from recoverable_arm import an_exception

from ams_ros.errors import RobotError
from ams_ros.exception.guard_state import GuardState
from ams_ros.nodes.exception_conversions import exception_message
from ams_ros.nodes.monitor_link import MonitorLimits, MonitorLink, Standing
from ams_ros.types import ExceptionKind

REFUSED = "exception 2 is in force, not 1"


class Link(MonitorLink):
    """A link whose monitor stands as a test says, one after the other and then as the last, and refuses everything."""

    def __init__(self, *standings: tuple[GuardState, int], explain: float = 5.0) -> None:
        self._name, self._limits = "exception_monitor", MonitorLimits(5.0, explain, 5.0, 5.0)
        self._told = (0, None)
        self._coming = [Standing(state, number, "") for state, number in standings]
        self.asked: list[int] = []

    @property
    def standing(self) -> Standing:
        return self._coming.pop(0) if len(self._coming) > 1 else self._coming[0]

    def _ask_release(self, number: int, recovery: bool) -> str:
        self.asked.append(number)
        return REFUSED

    def tell(self, number: int) -> None:
        self._hear(exception_message(an_exception(ExceptionKind.TORQUE, number=number)))


def test_a_newer_exception_is_returned_though_it_is_told_after_the_refusal_and_its_stop_is_not_lifted():
    link = Link((GuardState.STOPPED, 1), (GuardState.STOPPING, 2), (GuardState.STOPPED, 2))
    link.tell(1)
    late = threading.Timer(0.1, link.tell, (2,))
    late.start()
    newer = link.release(1, recovery=False)
    late.join()
    assert (newer.number, newer.kind) == (2, ExceptionKind.TORQUE)
    assert set(link.asked) == {1}, "nobody decided about exception 2 yet"


def test_a_newer_exception_that_is_never_told_cannot_be_decided_about_and_leaves_the_stop_in_force():
    link = Link((GuardState.STOPPED, 2), explain=0.05)
    link.tell(1)
    with pytest.raises(RobotError, match=REFUSED):
        link.release(1, recovery=True)


def test_an_exception_that_a_person_must_acknowledge_is_refused_at_once():
    link = Link((GuardState.AWAITING_ACKNOWLEDGE, 1))
    link.tell(1)
    with pytest.raises(RobotError, match=REFUSED):
        link.release(1, recovery=True)
    assert link.asked == [1]
