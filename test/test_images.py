"""Training and inference bring pictures to the policy's size in one and the same way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.policy.images import square


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 96), st.integers(0, 255))
def test_any_picture_becomes_a_square_and_one_colour_stays_it(height, width, size, value):
    result = square(np.full((height, width, 3), value, np.uint8), size)
    assert result.shape == (size, size, 3)
    assert result.dtype == np.uint8
    assert (result == value).all()


def test_a_square_of_the_right_size_is_left_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(square(pixels, 64), pixels)


@pytest.mark.parametrize("turned", [False, True])
def test_the_crop_is_taken_from_the_centre(turned):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 255
    pixels = pixels.transpose(1, 0, 2) if turned else pixels
    assert (square(pixels, 40) == 255).all()


def test_shrinking_averages_instead_of_dropping_pixels():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    middle = square(stripes, 64)[8:-8, 8:-8].astype(int)
    assert abs(middle - 127).max() < 20
