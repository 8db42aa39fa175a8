"""Action atomisation (E6): motions become atoms of one degree of freedom, and none of the motion is lost."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError, PlanningError
from ams_ros.recovery.atom_buffer import AtomBuffer, AtomSettings, Mark
from ams_ros.recovery.atoms import JointAtom, TipAtom, compose, consolidate
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.types import JointSample

PROFILE = load_profile("widowx_250s")
DYNAMICS = ArmDynamics(PROFILE)
SIZE = AtomSettings()
NAMES = (*PROFILE.joint_names, PROFILE.gripper.joint)


def sample(position, stamp):
    return JointSample(stamp, NAMES, np.append(position, 0.02))


def feed(buffer, positions, begin=0.0):
    for number, position in enumerate(positions):
        buffer.take(sample(position, begin + 0.01 * number))


def smooth(*poses, count=100):
    """Poses on the straight way through `poses`."""
    return [a + (b - a) * share for a, b in itertools.pairwise(poses) for share in np.linspace(0, 1, count)]


def tip(position):
    return DYNAMICS.tip_pose(np.asarray(position))[1].copy()


strides = st.lists(st.lists(st.floats(-0.1, 0.1), min_size=6, max_size=6), min_size=1, max_size=60)


@settings(deadline=None)
@given(strides=strides, capacity=st.sampled_from([256, 4096]), marked=st.integers(0, 59))
def test_atoms_since_a_mark_add_up_to_the_displacement_since_it_e6(strides, capacity, marked):
    buffer = AtomBuffer(DYNAMICS, AtomSettings(capacity=capacity))
    positions = PROFILE.start + np.cumsum(np.array(strides), axis=0) * 0.2
    marked = min(marked, len(positions) - 1)
    feed(buffer, positions[: marked + 1])
    buffer.mark(Mark.SLICE)
    feed(buffer, positions[marked + 1 :], begin=1.0)
    moved = buffer.since(Mark.SLICE)
    assert np.abs(moved.joints - (positions[-1] - positions[marked])).max() < 2 * SIZE.joint
    reach = 1.0
    seen = tip(positions[-1]) - tip(positions[marked])
    assert np.abs(moved.tip - seen).max() < 2 * (SIZE.tip + 6 * reach * SIZE.joint)


@settings(deadline=None)
@given(strides=strides)
def test_a_full_buffer_consolidates_itself_and_keeps_every_composition_to_the_last_bit_e6(strides):
    small, large = (AtomBuffer(DYNAMICS, AtomSettings(capacity=capacity)) for capacity in (256, 100_000))
    positions = smooth(*(PROFILE.start + np.cumsum(np.array(strides), axis=0) * 0.2), count=20) or [PROFILE.start]
    for buffer in (small, large):
        for number, position in enumerate(positions):
            if number == len(positions) // 4:
                buffer.mark(Mark.GOOD)
            if number == len(positions) // 2:
                buffer.mark(Mark.SLICE)
            buffer.take(sample(position, 0.01 * number))
    assert len(small) <= 256
    for mark in Mark:
        try:
            known = large.since(mark)
        except PlanningError:
            with pytest.raises(PlanningError):
                small.since(mark)
            continue
        assert (small.since(mark).joints == known.joints).all()
        assert (small.since(mark).tip == known.tip).all()


atoms = st.builds(JointAtom, st.integers(0, 5), st.integers(-9, 9).map(lambda n: n * SIZE.joint)) | st.builds(
    TipAtom, st.integers(0, 2), st.integers(-9, 9).map(lambda n: n * SIZE.tip)
)


@given(st.lists(atoms, max_size=200))
def test_consolidation_leaves_one_atom_for_each_degree_of_freedom_and_the_same_sum(many):
    few = consolidate(many, 6)
    assert len({(type(atom), getattr(atom, "joint", None), getattr(atom, "axis", None)) for atom in few}) == len(few)
    assert all(atom.displacement for atom in few)
    before, after = compose(many, 6), compose(few, 6)
    assert (before.joints == after.joints).all()
    assert (before.tip == after.tip).all()


@given(st.lists(st.floats(-0.99, 0.99), min_size=1, max_size=50))
def test_jitter_below_the_resolution_makes_no_atoms(shakes):
    buffer = AtomBuffer(DYNAMICS)
    feed(buffer, [PROFILE.start, *(PROFILE.start + shake * SIZE.joint for shake in shakes)])
    assert len(buffer) == 0


def test_creeping_slower_than_the_resolution_is_not_lost():
    buffer = AtomBuffer(DYNAMICS)
    feed(buffer, [PROFILE.start])
    buffer.mark(Mark.SLICE)
    feed(buffer, [PROFILE.start + 0.1 * SIZE.joint * step for step in range(1001)], begin=1.0)
    assert np.allclose(buffer.since(Mark.SLICE).joints, 100 * SIZE.joint, atol=SIZE.joint)


def test_every_atom_moves_one_degree_of_freedom_and_going_there_and_back_adds_up_to_nothing():
    buffer = AtomBuffer(DYNAMICS)
    feed(buffer, [PROFILE.start])
    buffer.mark(Mark.SLICE)
    feed(buffer, smooth(PROFILE.start, PROFILE.safe, PROFILE.start), begin=1.0)
    moved = buffer.since(Mark.SLICE)
    assert len(buffer) > 0
    assert np.abs(moved.joints).max() <= SIZE.joint
    assert np.abs(moved.tip).max() <= SIZE.tip + 6 * SIZE.joint


def test_the_approach_is_where_the_tip_went_last_not_where_it_went_before():
    buffer = AtomBuffer(DYNAMICS)
    feed(buffer, [PROFILE.start])
    buffer.mark(Mark.SLICE)
    turned = PROFILE.start + np.array([0.5, 0, 0, 0, 0, 0])
    lowered = turned + np.array([0, 0.15, 0, 0, -0.15, 0])
    feed(buffer, smooth(PROFILE.start, turned, lowered, count=300), begin=1.0)
    last = buffer.approach(Mark.SLICE, 0.02)
    down = tip(lowered) - tip(turned)
    assert 0.02 <= np.linalg.norm(last) < 0.025
    assert last @ down / np.linalg.norm(last) / np.linalg.norm(down) > 0.97


def test_a_mark_moves_to_where_another_is():
    buffer = AtomBuffer(DYNAMICS)
    feed(buffer, [PROFILE.start])
    buffer.mark(Mark.SLICE)
    feed(buffer, smooth(PROFILE.start, PROFILE.safe), begin=1.0)
    buffer.move_mark(Mark.GOOD, Mark.SLICE)
    buffer.mark(Mark.SLICE)
    assert np.allclose(buffer.since(Mark.GOOD).joints, PROFILE.safe - PROFILE.start, atol=2 * SIZE.joint)
    assert not buffer.since(Mark.SLICE).joints.any()


def jump(buffer):
    buffer.take(sample(PROFILE.start + 1.0, 1.01))


def time_runs_backwards(buffer):
    buffer.take(sample(PROFILE.start, 0.999))


def a_new_beginning(buffer):
    buffer.begin(sample(PROFILE.start, 2.0))


@pytest.mark.parametrize("event", [jump, time_runs_backwards, a_new_beginning])
def test_after_what_was_not_seen_moving_no_way_back_is_claimed(event):
    buffer = AtomBuffer(DYNAMICS)
    feed(buffer, [PROFILE.start], begin=1.0)
    buffer.mark(Mark.SLICE)
    assert not buffer.since(Mark.SLICE).joints.any()
    event(buffer)
    with pytest.raises(PlanningError, match="the way back to the begin of the slice is not known"):
        buffer.since(Mark.SLICE)
    with pytest.raises(PlanningError, match="is not known"):
        buffer.approach(Mark.SLICE, 0.02)


def test_a_second_without_samples_is_no_jump_for_an_arm_that_moved_on():
    buffer = AtomBuffer(DYNAMICS)
    feed(buffer, [PROFILE.start])
    buffer.mark(Mark.SLICE)
    buffer.take(sample(PROFILE.start + 1.0, 1.0))
    assert np.allclose(buffer.since(Mark.SLICE).joints, 1.0, atol=SIZE.joint)


@pytest.mark.parametrize(
    "bad",
    [
        JointSample(1.0, NAMES, np.full(7, np.nan)),
        JointSample(1.0, NAMES, np.full(7, np.inf)),
        JointSample(1.0, NAMES[:3], np.zeros(3)),
        JointSample(1.0, NAMES[::-1], np.zeros(7)),
        JointSample(1.0, (NAMES[0],) * 7, np.zeros(7)),
        JointSample(1.0, NAMES, np.zeros((7, 7))),
        JointSample(np.nan, NAMES, np.zeros(7)),
    ],
)
def test_what_is_no_pose_of_the_arm_is_refused_and_counted(bad):
    buffer = AtomBuffer(DYNAMICS)
    feed(buffer, [PROFILE.start])
    buffer.mark(Mark.SLICE)
    buffer.take(bad)
    assert buffer.refused == 1
    assert not buffer.since(Mark.SLICE).joints.any()


def test_samples_may_come_in_another_thread_while_the_record_is_read():
    buffer = AtomBuffer(DYNAMICS, AtomSettings(capacity=256))
    feed(buffer, [PROFILE.start])
    buffer.mark(Mark.SLICE)
    way = smooth(PROFILE.start, PROFILE.safe, PROFILE.start, PROFILE.safe, count=200)
    thread = threading.Thread(target=feed, args=(buffer, way, 1.0))
    thread.start()
    while thread.is_alive():
        span = np.abs(PROFILE.safe - PROFILE.start) + 2 * SIZE.joint
        assert (np.abs(buffer.since(Mark.SLICE).joints) <= span).all()
    thread.join()
    assert np.allclose(buffer.since(Mark.SLICE).joints, PROFILE.safe - PROFILE.start, atol=2 * SIZE.joint)


@pytest.mark.parametrize("wrong", [{"joint": 0.001}, {"joint": 0.0}, {"tip": -0.5}, {"tip": np.nan}, {"capacity": 10}])
def test_settings_that_would_round_or_never_fit_are_refused(wrong):
    ((key, value),) = wrong.items()
    with pytest.raises(ConfigurationError, match=rf"atoms\.{key}.*{value}"):
        AtomSettings(**wrong)
