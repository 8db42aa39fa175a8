"""A run of the demonstration is heard of once, by those it concerns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from demo_runs import EXCEPTION

from ams_ros.cli.demo_audience import Audience
from ams_ros.cli.demo_record import RunLog
from ams_ros.types import EventKind, TaskEvent

EVENT = TaskEvent(EventKind.JOB, 2.0, 24, 0, 2, "let go of over the bowl")


@dataclass
class Ear(RunLog):
    heard: list = field(default_factory=list)

    def _hear(self, what) -> None:
        self.heard.append(what)


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_what_two_subscriptions_bring_is_heard_once(ear) -> None:
    audience = Audience((ear,))
    for _ in range(2):
        audience.happened(EVENT)
        audience.excepted(EXCEPTION)
    assert ear.heard == [EVENT, EXCEPTION]


def test_lines_that_differ_are_all_heard(ear) -> None:
    audience = Audience((ear,))
    audience.happened(EVENT)
    audience.happened(replace(EVENT, kind=EventKind.REPLAY, message="1 done"))
    audience.excepted(EXCEPTION)
    audience.excepted(replace(EXCEPTION, number=2))
    assert len(ear.heard) == 4


def test_what_comes_after_a_run_belongs_to_nobody(ear) -> None:
    audience = Audience((ear,))
    audience.leave()
    audience.happened(EVENT)
    audience.excepted(EXCEPTION)
    assert ear.heard == []
