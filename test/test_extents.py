"""The free list of a contiguous area."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.context.host.extents import ALIGNMENT, FreeExtents, aligned

CAPACITY = 64 * ALIGNMENT


def test_the_smallest_extent_that_fits_is_taken() -> None:
    free = FreeExtents(CAPACITY)
    assert free.allocate(CAPACITY) == 0
    free.free(0, 4 * ALIGNMENT)
    free.free(10 * ALIGNMENT, 2 * ALIGNMENT)
    assert free.allocate(2 * ALIGNMENT) == 10 * ALIGNMENT
    assert free.allocate(1) == 0
    assert free.allocate(4 * ALIGNMENT) is None


def test_neighbours_become_one_extent_again() -> None:
    free = FreeExtents(CAPACITY)
    free.allocate(CAPACITY)
    for place in (3, 5, 4):
        free.free(place * ALIGNMENT, ALIGNMENT)
    assert list(free) == [(3 * ALIGNMENT, 3 * ALIGNMENT)]


def test_a_rest_below_the_alignment_is_never_given_out() -> None:
    assert FreeExtents(ALIGNMENT + 1).capacity == ALIGNMENT
    assert FreeExtents(ALIGNMENT - 1).allocate(1) is None


@pytest.mark.parametrize("extent", [(0, 1), (ALIGNMENT, 1), (1, ALIGNMENT), (-ALIGNMENT, 1), (CAPACITY, 1), (128, 0)])
def test_what_is_not_in_use_cannot_be_freed(extent: tuple[int, int]) -> None:
    free = FreeExtents(CAPACITY)
    free.allocate(CAPACITY)
    free.free(0, 2 * ALIGNMENT)
    with pytest.raises(ValueError, match="extent: "):
        free.free(*extent)
    assert list(free) == [(0, 2 * ALIGNMENT)]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20 * ALIGNMENT)), max_size=60))
def test_used_and_free_extents_always_fill_the_area_without_overlap(steps: list[tuple[bool, int]]) -> None:
    free = FreeExtents(CAPACITY)
    used: list[tuple[int, int]] = []
    for allocate, number in steps:
        if not allocate and used:
            free.free(*used.pop(number % len(used)))
        elif (offset := free.allocate(number)) is not None:
            used.append((offset, number))
        else:
            assert all(nbytes < number for _, nbytes in free), "there was an extent large enough"
        end, touching = 0, False
        for offset, nbytes, is_free in sorted(
            [(offset, aligned(nbytes), False) for offset, nbytes in used] + [(*extent, True) for extent in free]
        ):
            assert offset == end
            assert not (touching and is_free)
            end, touching = offset + nbytes, is_free
        assert end == CAPACITY
        assert free.free_bytes == CAPACITY - sum(aligned(nbytes) for _, nbytes in used)
