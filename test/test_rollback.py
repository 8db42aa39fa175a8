"""Rolling back (E6): by what the motion adds up to, within limits, around nothing that stands in the way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ams_ros.errors import ConfigurationError, PlanningError
from ams_ros.recovery.atom_buffer import AtomBuffer, AtomSettings, Mark
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.rollback import Rollback, RollbackSettings
from ams_ros.recovery.surroundings import Surroundings, load_surroundings
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.cube_expert import CubeExpert
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks import find_task
from ams_ros.types import ActionSlice, JointSample

PROFILE = load_profile("widowx_250s")
DYNAMICS = ArmDynamics(PROFILE)
TABLE = ArmCollisionChecker(PROFILE, load_surroundings("table_and_bowl"))
ALONE = ArmCollisionChecker(PROFILE, Surroundings("nothing", "Nothing but the arm", ()))
NAMES = PROFILE.joint_names
WITHIN = 2 * AtomSettings().joint
"""rad: what is not recorded at either end."""


class Journey:
    """Poses recorded as an arm passes through them, and the way back."""

    def __init__(self, *poses, checker=TABLE, capacity=4096, retreat=0.02):
        self.buffer, self.time = AtomBuffer(DYNAMICS, AtomSettings(capacity=capacity)), 0.0
        self.rollback = Rollback(self.buffer, ArmDynamics(PROFILE), checker, RollbackSettings(retreat=retreat))
        self.buffer.begin(JointSample(0.0, NAMES, poses[0]))
        self.buffer.mark(Mark.SLICE)
        self.now = poses[0]
        for begin, end in itertools.pairwise(poses):
            for share in np.linspace(0, 1, 60):
                self.time += 0.01
                self.now = begin + share * (end - begin)
                self.buffer.take(JointSample(self.time, NAMES, self.now))

    def back(self, contact=False):
        return self.rollback.plan(self.now, Mark.SLICE, contact)


def tip(position):
    return DYNAMICS.tip_pose(np.asarray(position))[1].copy()


strides = st.lists(st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6), min_size=1, max_size=8)


@settings(deadline=None, max_examples=60)
@given(strides=strides, contact=st.booleans(), capacity=st.sampled_from([256, 4096]))
def test_rolling_back_any_motion_returns_to_its_begin_and_never_leaves_the_limits_e6(strides, contact, capacity):
    away = np.clip(PROFILE.start + np.cumsum(np.array(strides) * 0.3, axis=0), PROFILE.lower, PROFILE.upper)
    journey = Journey(PROFILE.start, *away, checker=ALONE, capacity=capacity)
    assume(ALONE.path_collides(np.array([journey.now, PROFILE.start])) is None)
    assume(np.abs(journey.now - PROFILE.start).max() > WITHIN)
    motion = journey.back(contact)
    assert np.abs(motion.joints[-1] - PROFILE.start).max() < WITHIN
    assert ((motion.joints >= PROFILE.lower - 1e-9) & (motion.joints <= PROFILE.upper + 1e-9)).all()
    rows = np.vstack([journey.now, journey.now, motion.joints])
    speed = np.diff(rows, axis=0) / motion.period
    assert (np.abs(speed) <= 0.3 * PROFILE.velocity + 1e-6).all()
    assert (np.abs(np.diff(speed, axis=0) / motion.period) <= 0.3 * PROFILE.acceleration + 1e-4).all()


def test_a_motion_that_wandered_is_rolled_back_straight_not_replayed_e6():
    turned = PROFILE.start + np.array([0.6, 0, 0, 0, 0, 0])
    end = PROFILE.start + np.array([0.1, 0, 0, 0, 0, 0])
    motion = Journey(PROFILE.start, turned, PROFILE.start, turned, end).back()
    rows = motion.joints[:, 0]
    assert (np.diff(rows) <= 1e-12).all()
    assert rows.max() <= end[0]
    assert rows[-1] == pytest.approx(PROFILE.start[0], abs=WITHIN)


def test_out_of_a_contact_the_tip_first_withdraws_the_way_it_came_e6():
    above = PROFILE.start + np.array([0.3, -0.2, 0, 0, 0.2, 0])
    lowered = above + np.array([0, 0.2, 0, 0, -0.2, 0])
    journey = Journey(PROFILE.start, above, lowered)
    came = tip(lowered) - tip(above)
    motion = journey.back(contact=True)
    places = np.array([tip(row) for row in motion.joints]) - tip(lowered)
    back = places @ came / np.linalg.norm(came)
    aside = np.linalg.norm(places - np.outer(back, came / np.linalg.norm(came)), axis=1)
    withdrawn = int(np.argmax(back <= -0.018))
    assert withdrawn > 0
    assert aside[: withdrawn + 1].max() < 0.004
    assert np.abs(motion.joints[-1] - PROFILE.start).max() < WITHIN


def test_the_retreat_never_goes_further_than_the_arm_came():
    lowered = PROFILE.start + np.array([0, 0.01, 0, 0, 0, 0])
    motion = Journey(PROFILE.start, lowered).back(contact=True)
    longest = max(np.linalg.norm(tip(row) - tip(lowered)) for row in motion.joints)
    assert longest < np.linalg.norm(tip(PROFILE.start) - tip(lowered)) + 0.002


def test_a_retreat_that_would_run_the_arm_into_itself_is_left_out():
    folded = PROFILE.start + np.array([0, 0, 0.5625, 0.3, 0.45, 0.3])
    before = PROFILE.start + np.array([0, 0, 0.5625, 0.3, 0.3, 0.3])
    first = PROFILE.start + np.array([0, 0, 0, 0, 0.3, 0])
    motion = Journey(PROFILE.start, first, before, folded, checker=ALONE).back(contact=True)
    assert ALONE.path_collides(motion.joints) is None
    assert np.abs(motion.joints[-1] - PROFILE.start).max() < WITHIN


def _down(position, height):
    """The pose over the same place with the tip lowered to `height` m, wrist turned against the shoulder."""
    lower = position.copy()
    while tip(lower)[2] > height:
        lower += np.array([0, 0.005, 0, 0, -0.005, 0])
    return lower


def test_an_arm_that_touches_the_table_is_led_out_of_it_and_then_back():
    touching = _down(PROFILE.start, 0.005)
    assert "touches table" in TABLE.collides(touching)
    motion = Journey(PROFILE.start, touching).back()
    assert TABLE.collides(motion.joints[-1]) is None
    heights = [tip(row)[2] for row in motion.joints]
    assert min(heights) >= heights[0] - 1e-3


def test_an_arm_that_would_be_dragged_over_the_table_for_long_is_not_dragged():
    above = _down(PROFILE.start, 0.02)
    low = _down(PROFILE.start, 0.003) + np.array([1.0, 0, 0, 0, 0, 0])
    assert TABLE.collides(above) is None
    with pytest.raises(PlanningError, match=r"blocked: .* touches table"):
        Journey(above, low).back()


def test_a_way_back_through_something_is_refused_saying_through_what():
    touching = _down(PROFILE.start, 0.0)
    journey = Journey(touching, PROFILE.start)
    with pytest.raises(PlanningError, match=r"the way back to the begin of the slice is blocked: .*table"):
        journey.back()


def test_the_simulated_arm_under_its_controller_is_brought_back_from_a_reach_e6():
    plant = Plant(PROFILE)
    robot, stop = SimulatedRobot(plant, cameras=()), StopRequest()
    robot.reset(find_task("cubes").sample(seed=3, objects=1))
    buffer = AtomBuffer(DYNAMICS)
    rollback = Rollback(buffer, ArmDynamics(PROFILE), TABLE, RollbackSettings())
    buffer.begin(robot.joints())
    buffer.mark(Mark.SLICE)
    begin = robot.joints().position[:-1]
    expert = CubeExpert(plant)
    for _ in range(12):
        action = expert.advise().action
        robot.execute(ActionSlice(action[None, :-1], action[-1:], 0.05, 1, "c"), stop)
        buffer.take(robot.joints())
    now = robot.joints().position[:-1]
    assert np.abs(now - begin).max() > 0.1
    motion = rollback.plan(now, Mark.SLICE, contact=True)
    steps = len(motion.joints)
    way = ActionSlice(motion.joints, np.full(steps, PROFILE.gripper.upper), motion.period, steps, "back")
    assert robot.execute(way, stop).completed
    assert np.abs(robot.joints().position[:-1] - begin).max() < 0.01
    plant.close()


def test_an_arm_that_went_nowhere_is_told_to_be_there_already():
    with pytest.raises(PlanningError, match="already at the begin of the slice"):
        Journey(PROFILE.start, PROFILE.safe, PROFILE.start).back()


@pytest.mark.parametrize(
    "wrong", [{"scale": 0.0}, {"scale": 1.5}, {"scale": np.nan}, {"retreat": -0.1}, {"retreat": 1}]
)
def test_settings_no_arm_should_follow_are_refused(wrong):
    ((key, value),) = wrong.items()
    with pytest.raises(ConfigurationError, match=rf"rollback\.{key}.*{value}"):
        RollbackSettings(**wrong)
