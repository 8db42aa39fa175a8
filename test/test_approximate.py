"""Approximate reuse (C7): off unless asked for, bounded in difference and age, without drift."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.context.reuse.approximate import CELLS, ApproximateReuse, patch_difference
from ams_ros.context.reuse.reuse_options import ReuseOptions
from ams_ros.errors import ConfigurationError
from ams_ros.types import CameraImage


def picture(value=100, size=(64, 64)):
    return np.full((*size, 3), value, np.uint8)


def image(pixels, camera="front"):
    return CameraImage(camera, 0.0, pixels)


def test_identical_pictures_do_not_differ_and_black_differs_from_white_by_one():
    assert patch_difference(picture(), picture()) == 0.0
    assert patch_difference(picture(0), picture(255)) == 1.0
    assert patch_difference(picture(255), picture(0)) == 1.0


def test_the_patch_that_differs_most_decides_however_large_the_rest_is():
    changed = picture(0)
    changed[:4, :4] = 255  # one of 16 x 16 patches of a picture of 64 x 64
    assert patch_difference(picture(0), changed) == 1.0
    changed[:2, :4] = 0
    assert patch_difference(picture(0), changed) == pytest.approx(0.5)


def test_pictures_of_unlike_size_are_not_near():
    assert patch_difference(picture(size=(64, 64)), picture(size=(64, 48))) == 1.0


@given(
    height=st.integers(1, 50),
    width=st.integers(1, 50),
    seed=st.integers(0, 2**32 - 1),
)
def test_patches_cover_every_pixel_of_a_picture_of_any_size(height, width, seed):
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    other, row, column = one.copy(), rng.integers(height), rng.integers(width)
    other[row, column] ^= 0x80
    largest = -(-height // min(CELLS, height)) * -(-width // min(CELLS, width))
    assert 128 / 255 / largest <= patch_difference(one, other) + 1e-12
    assert patch_difference(one, other) == patch_difference(other, one) <= 1.0


def test_a_picture_passes_for_its_reference_up_to_the_threshold():
    reuse = ApproximateReuse(0.1, 8)
    assert reuse.near(image(picture(100))) is None
    reuse.remember(image(picture(100)), b"key")
    near = reuse.near(image(picture(120)))
    assert (near.key, near.difference) == (b"key", pytest.approx(20 / 255))
    assert reuse.near(image(picture(130))) is None
    assert reuse.near(image(picture(100), camera="wrist")) is None


def test_small_steps_do_not_add_up_because_the_reference_stays_the_encoded_picture():
    reuse = ApproximateReuse(0.1, 1000)
    reuse.remember(image(picture(100)), b"key")
    passed = [reuse.near(image(picture(100 + step))) is not None for step in range(40)]
    assert passed == [step <= 25 for step in range(40)]


def test_a_reference_serves_so_many_slices_and_no_more():
    reuse = ApproximateReuse(0.1, 3)
    reuse.next_slice()
    reuse.remember(image(picture()), b"key")
    served = []
    for _ in range(5):
        reuse.next_slice()
        served.append(reuse.near(image(picture(101))) is not None)
    assert served == [True, True, True, False, False]


def test_approximate_reuse_is_off_by_default_and_its_bounds_are_checked():
    assert ReuseOptions("robot").approximate_threshold == 0.0
    for key, options in (
        ("approximate_threshold", {"approximate_threshold": 1.0}),
        ("approximate_threshold", {"approximate_threshold": -0.1}),
        ("approximate_maximum_age", {"approximate_threshold": 0.1, "approximate_maximum_age": 0}),
        ("device_bytes", {"device_bytes": -1}),
        ("put_queue", {"put_queue": 0}),
        ("eviction policy", {"device_policy": "random"}),
    ):
        with pytest.raises(ConfigurationError, match=key):
            ReuseOptions("robot", **options)
