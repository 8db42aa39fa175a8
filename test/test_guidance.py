"""Where a guided denoising starts (C2): the three variants, on stored trajectories."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.context.records import ContextOutcome, ContextRecord, ModelKey, VectorKind
from ams_ros.context.reuse.guidance import latent_at, start_from
from ams_ros.context.store import FetchedContext, FetchedVector
from ams_ros.errors import InferenceError
from ams_ros.types import Guidance, GuidanceVariant

LATENT, NOISE, RENOISED = GuidanceVariant.LATENT, GuidanceVariant.NOISE, GuidanceVariant.RENOISED
SHAPE = (4, 3)
MODEL = ModelKey("m", "00", "11", "float32", ("front",), "", "robot")


def stored(start=1.0, steps=10, **replaced):
    """A context whose latent moves by `velocity[k]` in step k."""
    rng = np.random.default_rng(0)
    times = np.linspace(start, 0.0, steps + 1)
    latents = [rng.standard_normal(SHAPE, np.float32)]
    for before, after in itertools.pairwise(times):
        latents.append((latents[-1] + (after - before) * rng.standard_normal(SHAPE)).astype(np.float32))
    arrays = {VectorKind.LATENTS: np.stack(latents), VectorKind.TIMES: times} | replaced.get("arrays", {})
    record = ContextRecord(
        "c-0", MODEL, "x", "", 0, ContextOutcome.SUCCEEDED, 0.0, np.zeros(2), 0.0, np.ones(1, np.float32), 0, start, ""
    )
    vectors = (FetchedVector(kind, "", array, "host") for kind, array in arrays.items() if array is not None)
    return FetchedContext(record, tuple(vectors))


def noise(seed=1):
    return np.random.default_rng(seed).standard_normal(SHAPE, np.float32)


def test_the_latent_at_the_start_time_is_the_stored_one_and_steps_are_proportional():
    context = stored()
    start = start_from(Guidance("c-0", 0.3, LATENT), context, noise(), 10)
    np.testing.assert_array_equal(start.latent, context.vector(VectorKind.LATENTS).array[7])
    assert (start.time, start.steps) == (0.3, 3)


def test_steps_may_be_asked_for_and_there_is_always_one():
    assert start_from(Guidance("c-0", 0.5, LATENT, steps=7), stored(), noise(), 10).steps == 7
    assert start_from(Guidance("c-0", 0.01, LATENT), stored(), noise(), 10).steps == 1


def test_noise_starts_with_the_stored_noise_at_time_one_whatever_the_start_time():
    context = stored()
    start = start_from(Guidance("c-0", 0.2, NOISE), context, noise(), 10)
    np.testing.assert_array_equal(start.latent, context.vector(VectorKind.LATENTS).array[0])
    assert (start.time, start.steps) == (1.0, 10)


def test_renoised_mixes_the_final_latent_with_fresh_noise():
    context = stored(start=0.4)
    start = start_from(Guidance("c-0", 0.8, RENOISED), context, noise(), 10)
    final = context.vector(VectorKind.LATENTS).array[-1]
    np.testing.assert_allclose(start.latent, 0.8 * noise() + 0.2 * final, rtol=1e-6)
    assert (start.latent.dtype, start.time, start.steps) == (np.float32, 0.8, 8)


def test_a_context_that_began_later_cannot_give_an_earlier_latent_and_says_what_can():
    with pytest.raises(InferenceError, match=r"c-0 began at time 0.4 .* at 0.8.*renoised"):
        start_from(Guidance("c-0", 0.8, LATENT), stored(start=0.4), noise(), 10)
    assert start_from(Guidance("c-0", 0.4, LATENT), stored(start=0.4), noise(), 10).time == 0.4


def test_a_context_that_did_not_begin_with_noise_has_none_to_give():
    with pytest.raises(InferenceError, match=r"c-0 began at time 0\.4: it has no noise"):
        start_from(Guidance("c-0", 1.0, NOISE), stored(start=0.4), noise(), 10)


@pytest.mark.parametrize(
    "arrays",
    [
        {VectorKind.LATENTS: None},
        {VectorKind.TIMES: None},
        {VectorKind.LATENTS: np.zeros((11, 4, 2), np.float32)},
        {VectorKind.LATENTS: np.zeros((10, *SHAPE), np.float32)},
        {VectorKind.LATENTS: np.zeros((11, *SHAPE))},
        {VectorKind.LATENTS: np.full((11, *SHAPE), np.nan, np.float32)},
        {VectorKind.TIMES: np.linspace(0.0, 1.0, 11)},
        {VectorKind.TIMES: np.linspace(2.0, 0.0, 11)},
        {VectorKind.TIMES: np.full(11, np.nan)},
        {VectorKind.TIMES: np.zeros((11, 1))},
    ],
)
@pytest.mark.parametrize("variant", list(GuidanceVariant))
def test_a_stored_trajectory_that_is_none_is_refused_by_every_variant(arrays, variant):
    with pytest.raises(InferenceError, match="c-0"):
        start_from(Guidance("c-0", 0.5, variant), stored(arrays=arrays), noise(), 10)


@given(time=st.floats(0.0, 1.0), steps=st.integers(1, 12))
def test_a_latent_between_two_stored_ones_lies_on_the_straight_line_the_euler_step_went(time, steps):
    context = stored(steps=steps)
    latents, times = (context.vector(kind).array for kind in (VectorKind.LATENTS, VectorKind.TIMES))
    after = max(1, int(np.argmax(times <= time)))
    velocity = (latents[after] - latents[after - 1]).astype(float) / (times[after] - times[after - 1])
    expected = latents[after - 1] + (time - times[after - 1]) * velocity
    np.testing.assert_allclose(latent_at(latents, times, time), expected, atol=1e-5)
