"""Columns of numbers that grow with the pool."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.context.memory.columns import column, enlarged, real_column


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=12))
def test_an_enlarged_column_has_the_places_and_the_numbers_it_had(counts):
    numbers, model = column("i"), {}
    for serial, count in enumerate(counts, start=1):
        numbers = enlarged(numbers, count)
        numbers[count - 1] = model[count - 1] = serial
    assert {place: number for place, number in enumerate(numbers) if number} == model


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=12))
def test_of_columns_enlarged_together_the_widest_are_full_first(counts):
    """Whoever has several side by side looks at one of the widest to know that all have room."""
    wide, single, narrow = real_column("d"), column("i"), column("b")
    for count in counts:
        if count > len(wide):
            wide, single, narrow = enlarged(wide, count), enlarged(single, count), enlarged(narrow, count)
        assert count <= len(wide) <= len(single) <= len(narrow)
