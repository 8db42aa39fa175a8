"""The limit from which on a debounced value counts no more: what calibration says of the past, the rule would have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.exception.persistence import Duration, JointDurations, Recurrence

# Sums and shares of these are exact, so that a limit and what is compared with it can be told apart.
SERIES = st.lists(
    st.tuples(st.integers(1, 12).map(lambda n: n / 64), st.integers(0, 16).map(float), st.booleans()),
    min_size=1,
    max_size=25,
)


def arrays(series):
    gaps, values, heard = zip(*series, strict=True)
    return np.cumsum(gaps), np.array(values)[:, None], np.array(heard)


def recurs(count, window, series, limit):
    live, (stamps, values, heard) = Recurrence(count, window), series
    found = [bool(value > limit and live.seen(stamp)) for stamp, (value,) in zip(stamps, values, strict=True)]
    return any(each and listened for each, listened in zip(found, heard, strict=True))


def lasts(seconds, stamps, values, heard, limit):
    live = Duration(seconds, 0.5)
    found = [live.lasts(value / limit if limit > 0.0 else math.inf * (value > 0.0), stamp)
             for stamp, (value,) in zip(stamps, values, strict=True)]  # fmt: skip
    return any(each and listened for each, listened in zip(found, heard, strict=True))


@given(SERIES, st.integers(1, 4), st.sampled_from([1 / 64, 0.125, 0.5]))
def test_what_recurs_counts_just_below_its_critical_limit_and_not_at_it(series, count, window):
    stamps, values, heard = arrays(series)
    limit = Recurrence(count, window).critical(stamps, values, heard)
    assert not recurs(count, window, arrays(series), limit)
    assert limit == 0.0 or recurs(count, window, arrays(series), limit - 0.25)


@given(SERIES, st.sampled_from([0.0, 1 / 64, 0.125, 0.5]))
def test_what_lasts_counts_just_below_its_critical_limit_and_not_at_it(series, seconds):
    stamps, values, heard = arrays(series)
    limit = Duration(seconds, 0.5).critical(stamps, values, heard)
    assert limit == 0.0 or not lasts(seconds, stamps, values, heard, limit)
    assert limit == 0.0 or lasts(seconds, stamps, values, heard, limit - 0.25)
    if limit == 0.0:
        assert not lasts(seconds, stamps, values, heard, 0.25)


@given(st.lists(st.tuples(*[st.integers(0, 16).map(float)] * 2), min_size=8, max_size=8))
def test_joints_are_debounced_one_by_one(rows):
    stamps, values, heard = np.arange(8) / 64, np.array(rows), np.ones(8, bool)
    each = [Duration(2 / 64, 0.5).critical(stamps, values[:, joint : joint + 1], heard) for joint in (0, 1)]
    assert JointDurations(2, 2 / 64, 0.5).critical(stamps, values, heard) == max(each)


@pytest.mark.parametrize("debounce", [Recurrence(2, 0.5), Duration(0.0, 0.5)])
def test_what_is_no_number_is_above_every_limit(debounce):
    stamps, values, heard = np.array([0.1, 0.2]), np.array([[math.nan], [math.nan]]), np.ones(2, bool)
    assert debounce.critical(stamps, values, heard) == math.inf
