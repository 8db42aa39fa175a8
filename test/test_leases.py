"""Leases end once: by being given back, or by their deadline (C6)."""

from __future__ import annotations

import math
import time
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from ams_ros.context.host.leases import Lease, LeaseTable
from ams_ros.errors import ConfigurationError


class HandClock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def table(clock: HandClock) -> LeaseTable:
    return LeaseTable(clock)


def test_the_deadline_is_on_the_clock_all_processes_share() -> None:
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    deadline = LeaseTable().grant((1,), 5.0).deadline
    assert before + 5.0 <= deadline <= time.clock_gettime(time.CLOCK_MONOTONIC) + 5.0


def test_a_lease_that_was_given_back_ends_once(table: LeaseTable, clock: HandClock) -> None:
    lease = table.grant((1, 2, 2), 5.0)
    assert table.release(lease.number) == (1, 2, 2)
    assert table.release(lease.number) == ()
    clock.now += 100.0
    assert table.expired() == ()


def test_a_dead_clients_lease_expires_after_its_deadline_and_not_before(table: LeaseTable, clock: HandClock) -> None:
    lease = table.grant((1, 2), 5.0)
    assert lease.deadline == 105.0
    clock.now = 105.0
    assert table.expired() == (), "a reader that finishes at the deadline is in time"
    clock.now = math.nextafter(105.0, 200.0)
    assert table.expired() == (1, 2)
    assert table.expired() == ()
    assert table.release(lease.number) == ()


def test_leases_of_different_length_expire_in_the_order_of_their_deadlines(table: LeaseTable) -> None:
    long, short = table.grant((1,), 9.0), table.grant((2,), 1.0)
    assert table.expired(short.deadline + 0.5) == (2,)
    assert table.expired(long.deadline + 0.5) == (1,)
    assert len(table) == 0


def test_all_leases_end_when_the_memory_goes(table: LeaseTable) -> None:
    table.grant((1,), 5.0)
    table.grant((1, 2), 500.0)
    assert Counter(table.end_all()) == {1: 2, 2: 1}
    assert len(table) == 0


def test_a_number_is_never_zero_and_means_nothing_to_another_table(clock: HandClock) -> None:
    first, second = LeaseTable(clock), LeaseTable(clock)
    lease = first.grant((1,), 5.0)
    assert 0 < lease.number < 2**63
    assert second.release(lease.number) == ()


@pytest.mark.parametrize(("ids", "seconds"), [((), 5.0), ((1,), 0.0), ((1,), -1.0), ((1,), math.inf), ((1,), math.nan)])
def test_a_lease_on_nothing_or_for_ever_is_refused(table: LeaseTable, ids: tuple[int, ...], seconds: float) -> None:
    with pytest.raises(ConfigurationError):
        table.grant(ids, seconds)
    assert len(table) == 0


def test_released_leases_do_not_pile_up(table: LeaseTable) -> None:
    kept = table.grant((7,), 1000.0)
    for _ in range(10_000):
        table.release(table.grant((1,), 500.0).number)
    assert len(table._deadlines) <= 100
    assert table.expired(kept.deadline + 1.0) == (7,)


class LeaseMachine(RuleBasedStateMachine):
    """Every action is let go exactly as often as it was leased, whatever happens in which order."""

    leases = Bundle("leases")

    @initialize()
    def build(self) -> None:
        self.clock = HandClock()
        self.table = LeaseTable(self.clock)
        self.out: dict[int, tuple[float, tuple[int, ...]]] = {}

    @rule(target=leases, ids=st.lists(st.integers(0, 5), min_size=1, max_size=4), seconds=st.floats(0.1, 10.0))
    def grant(self, ids: list[int], seconds: float) -> Lease:
        lease = self.table.grant(ids, seconds)
        assert lease.number not in self.out
        self.out[lease.number] = (lease.deadline, tuple(ids))
        return lease

    @rule(lease=consumes(leases))
    def release(self, lease: Lease) -> None:
        assert self.table.release(lease.number) == self.out.pop(lease.number, (0.0, ()))[1]

    @rule(seconds=st.floats(0.0, 6.0))
    def expire(self, seconds: float) -> None:
        self.clock.now += seconds
        late = [number for number, (deadline, _) in self.out.items() if deadline < self.clock.now]
        assert Counter(self.table.expired()) == Counter(one for number in late for one in self.out.pop(number)[1])

    @invariant()
    def as_many_are_out_as_were_not_ended(self) -> None:
        if hasattr(self, "table"):
            assert len(self.table) == len(self.out)


TestLeaseModel = LeaseMachine.TestCase
TestLeaseModel.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
