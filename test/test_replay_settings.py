"""What action replay may be told, and the order of its attempts without a robot (R3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError
from ams_ros.replay.attempts import AttemptOrder
from ams_ros.replay.settings import ReplaySettings, ReturnSettings
from ams_ros.types import SUCCESS, GuidanceVariant


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        (ReplaySettings, "start_time", 0.0),
        (ReplaySettings, "start_time", float("nan")),
        (ReplaySettings, "denoising", -1),
        (ReplaySettings, "warm", 0),
        (ReplaySettings, "tries", 0),
        (ReplaySettings, "unguided", 6),
        (ReplaySettings, "attempt_first", 0),
        (ReplaySettings, "attempt_least", 0),
        (ReplaySettings, "attempt_factor", 0.9),
        (ReplaySettings, "attempt_factor", float("inf")),
        (ReturnSettings, "scale", 1.1),
        (ReturnSettings, "near", 0.0),
        (ReturnSettings, "plan_timeout", float("nan")),
        (ReturnSettings, "tries", 0),
    ],
)
def test_a_setting_that_could_never_be_met_is_refused_by_its_name(kind, key, value):
    with pytest.raises(ConfigurationError, match=rf"replay\.(return\.)?{key}: got {value}"):
        kind(**{key: value})


def test_an_attempt_may_take_a_share_more_than_those_that_succeeded_did_in_the_median():
    known = ReplaySettings(attempt_first=300, attempt_least=150, attempt_factor=2.0)
    assert [known.longest(steps) for steps in ((), (60,), (100, 90, 900), (101,))] == [300, 150, 200, 202]


def test_guidance_is_as_set_and_ends_with_the_warm_slices():
    known = ReplaySettings(start_time=0.3, variant=GuidanceVariant.RENOISED, denoising=4, warm=2)
    order = AttemptOrder(known, ("go",), guided=True)
    order.next(), order.failed(moved=True)
    attempt = order.next()
    first, second, third = (order.guidance(attempt, index, "ep") for index in range(3))
    assert (first.reference, first.rank) == (SUCCESS, 1)
    assert (second.reference, second.rank) == ("ep", 0)
    assert third is None
    assert {(each.start_time, each.variant, each.steps) for each in (first, second)} == {
        (0.3, GuidanceVariant.RENOISED, 4)
    }


def test_a_success_that_was_tried_is_passed_over_and_counts_as_no_try():
    order = AttemptOrder(ReplaySettings(tries=2, unguided=1), ("go",), guided=True)
    seen = []
    for guide in ("a", "a", "b"):
        rank = order.next().rank
        seen.append((rank, order.guided_by(guide)))
        assert not order.exhausted
        order.failed(moved=True)
    assert seen == [(0, True), (1, False), (2, True)]
    assert order.exhausted


@settings(deadline=None)
@given(
    outcomes=st.lists(st.booleans(), max_size=60),
    stored=st.integers(0, 6),
    tries=st.integers(1, 6),
    instructions=st.integers(1, 4),
    data=st.data(),
)
def test_between_two_successes_the_order_is_bounded_tries_each_context_once_and_then_ends(
    outcomes, stored, tries, instructions, data
):
    """The stored successes keep their places, as in a scene that fruitless attempts leave as it was."""
    unguided = data.draw(st.integers(1, tries))
    names = tuple(f"i{number}" for number in range(instructions))
    order = AttemptOrder(ReplaySettings(tries=tries, unguided=unguided), names, guided=True)
    since: list[tuple[str, int | None]] = []
    numbers = []
    coming = iter(outcomes)
    while not order.exhausted:
        attempt = order.next()
        numbers.append(attempt.number)
        guide = f"s{attempt.rank}" if attempt.rank is not None and attempt.rank < stored else ""
        if attempt.rank is not None:
            assert order.guided_by(guide)
        since.append((attempt.instruction, attempt.rank if guide else None))
        if next(coming, False):
            order.succeeded(10)
            since = []
        else:
            order.failed(moved=True)
    assert numbers == list(range(len(numbers)))
    for name in names:
        ranks = [rank for instruction, rank in since if instruction == name]
        guided = [rank for rank in ranks if rank is not None]
        assert guided == list(range(min(stored, tries))), "a stored success was left out, or tried twice"
        assert len(ranks) - len(guided) == min(unguided, tries - len(guided))


def test_where_jobs_are_known_to_be_left_attempts_go_on_until_tries_of_them_in_a_row_moved_nothing():
    order = AttemptOrder(ReplaySettings(tries=3, unguided=1), ("go", "part"), guided=True, persistent=True)
    made = []
    for number in range(23):
        attempt = order.next()
        if attempt.rank is not None:
            order.guided_by("a" if attempt.rank == 0 else "")
        made.append((attempt.instruction, attempt.rank))
        assert not order.exhausted
        order.failed(moved=number < 20 or number == 21)
    assert made[:4] == made[4:8] == [("go", 0), ("go", 1), ("part", 0), ("part", 1)], "each gets its turn again"
    for _ in range(2):
        assert not order.exhausted
        order.next()
        order.failed(moved=False)
    assert order.exhausted
