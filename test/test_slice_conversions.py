"""Messages of slices, guidance and reuse to records and back: nothing is lost on the way."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from ams_ros.msg import Guidance as GuidanceMessage
from ams_ros.msg import ReuseReport as ReuseReportMessage
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError
from ams_ros.nodes.conversions import (
    guidance_message,
    guidance_of,
    inference_of,
    reuse_message,
    reuse_of,
    slice_message,
)
from ams_ros.types import SUCCESS, ActionSlice, Guidance, GuidanceVariant, ReuseReport

JOINTS = ("waist", "shoulder", "elbow")
NAMES = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
SECONDS = st.floats(0.0, 100.0)
WORDS = st.lists(st.sampled_from(["front", "wrist", "host", "disk"]), max_size=3).map(tuple)


@st.composite
def slices(draw):
    horizon = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return ActionSlice(
        joints=rng.standard_normal((horizon, len(JOINTS))),
        gripper=rng.uniform(0.0, 0.04, horizon),
        period=draw(st.sampled_from([0.02, 0.1, 0.05])),
        execute=draw(st.integers(1, horizon)),
        context_id=draw(NAMES),
        stop=draw(st.booleans()),
    )


@st.composite
def guidances(draw):
    reference = draw(NAMES | st.just(SUCCESS))
    return Guidance(
        reference,
        draw(st.floats(0.0, 1.0, exclude_min=True)),
        draw(st.sampled_from(GuidanceVariant)),
        draw(st.integers(0, 1000)),
        draw(st.integers(0, 999_999)) if reference == SUCCESS else 0,
    )


REPORTS = st.builds(
    ReuseReport,
    pool=TEXTS,
    message=TEXTS,
    vision_exact=WORDS,
    vision_approximate=WORDS,
    prefix=TEXTS,
    tiers=WORDS,
    bytes_reused=st.integers(0, 2**63),
    patch_difference=SECONDS,
    guided_by=NAMES | st.just(""),
    guided_episode=NAMES | st.just(""),
    similarity=st.floats(-1.0, 1.0),
    start_time=SECONDS,
    steps=st.integers(0, 2**32 - 1),
    lookup_seconds=SECONDS,
    seconds_saved=SECONDS,
    stored=st.booleans(),
)


@given(slices(), REPORTS)
def test_a_slice_with_its_stop_flag_and_what_guided_it_arrives_as_it_was_sent(sent, report):
    got = inference_of(slice_message(sent, JOINTS, 1.5), (), reuse_message(report), JOINTS)
    for each in fields(ActionSlice):
        np.testing.assert_array_equal(getattr(got.slice, each.name), getattr(sent, each.name))
    assert got.reuse == report


@given(REPORTS)
def test_a_reuse_report_arrives_as_it_was_sent(report):
    assert reuse_of(reuse_message(report)) == report
    assert {each.name for each in fields(ReuseReport)} == set(ReuseReportMessage.get_fields_and_field_types())


@given(guidances())
def test_guidance_with_its_rank_arrives_as_it_was_sent(guidance):
    assert guidance_of(guidance_message(guidance)) == guidance


def test_no_guidance_is_a_message_without_a_reference():
    assert guidance_of(guidance_message(None)) is None


@pytest.mark.parametrize(
    ("reference", "rank"), [("similar", 1), ("episode-1", 3), (SUCCESS, 10**6), (SUCCESS, 2**32 - 1)]
)
def test_a_rank_that_cannot_be_is_refused_with_what_can(reference, rank):
    with pytest.raises(ConfigurationError, match=r"guidance rank: got \d+, allowed: 0 or more with reference success"):
        guidance_of(GuidanceMessage(reference=reference, start_time=0.5, rank=rank))
