"""What any `Planner` must do, whoever wrote it. A planner's test class derives from this one and gives the fixtures."""

from __future__ import annotations

import numpy as np
import pytest

from ams_ros.errors import PlanningError
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.planner import PlannedMotion, Planner
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.robot.profile import RobotProfile, load_profile
from ams_ros.simulation.downward_reach import DownwardReach
from ams_ros.types import Float64Array

SCALE, TIMEOUT = 0.6, 10.0
ROUNDING = 1e-6


class PlannerContract:
    """Spec row E5: the robot comes back to a safe state. The arm is a WidowX at a table with a bowl on it."""

    @pytest.fixture(scope="class")
    @classmethod
    def profile(cls) -> RobotProfile:
        return load_profile("widowx_250s")

    @pytest.fixture(scope="class")
    @classmethod
    def bare(cls, profile: RobotProfile) -> ArmCollisionChecker:
        """What really touches, without anything added for safety."""
        return ArmCollisionChecker(profile, load_surroundings("table_and_bowl"), padding=0.0)

    @pytest.fixture(scope="class")
    @classmethod
    def wide(cls, profile: RobotProfile) -> ArmCollisionChecker:
        """For poses with room around them, whatever distance a planner keeps."""
        return ArmCollisionChecker(profile, load_surroundings("table_and_bowl"), padding=0.02)

    @pytest.fixture(scope="class")
    @classmethod
    def planner(cls, profile: RobotProfile) -> Planner:
        raise NotImplementedError

    def place(self, profile: RobotProfile, x: float, y: float, z: float) -> Float64Array:
        joints = DownwardReach(profile).solve(np.array([x, y, z]), 0.0)
        assert joints is not None
        return joints

    def both_sides_of_the_bowl(self, profile: RobotProfile) -> tuple[Float64Array, Float64Array]:
        return self.place(profile, 0.25, 0.36, 0.05), self.place(profile, 0.25, 0.02, 0.05)

    def assert_sound(
        self,
        motion: PlannedMotion,
        start: Float64Array,
        goal: Float64Array,
        scale: float,
        bare: ArmCollisionChecker,
    ) -> None:
        profile = bare.profile
        rows = np.vstack([start, motion.joints])
        assert motion.joints[-1] == pytest.approx(goal, abs=ROUNDING)
        assert (rows >= profile.lower - ROUNDING).all()
        assert (rows <= profile.upper + ROUNDING).all()
        assert [bare.collides(row) for row in rows] == [None] * len(rows)
        assert bare.path_collides(rows) is None
        # At rest before the start and after the goal, so that rest at both ends is part of the acceleration limit.
        speeds = np.diff(np.vstack([start, rows, goal]), axis=0) / motion.period
        assert (np.abs(speeds) <= scale * profile.velocity + 1e-3).all()
        assert (np.abs(np.diff(speeds, axis=0)) <= (scale * profile.acceleration + 1e-2) * motion.period).all()

    @pytest.mark.parametrize("seed", range(8))
    def test_a_motion_keeps_limits_touches_nothing_and_rests_at_both_ends(
        self, planner: Planner, bare: ArmCollisionChecker, wide: ArmCollisionChecker, seed: int
    ) -> None:
        rng, profile = np.random.default_rng(seed), bare.profile
        drawn = (rng.uniform(profile.lower, profile.upper) for _ in range(1000))
        free = (position for position in drawn if wide.collides(position) is None)
        start, goal = next(free), next(free)
        self.assert_sound(planner.plan(start, goal, SCALE, TIMEOUT), start, goal, SCALE, bare)

    def test_it_goes_around_what_stands_in_the_straight_way(
        self, planner: Planner, bare: ArmCollisionChecker, wide: ArmCollisionChecker
    ) -> None:
        start, goal = self.both_sides_of_the_bowl(bare.profile)
        assert wide.collides(start) is None
        assert wide.collides(goal) is None
        assert bare.path_collides(np.array([start, goal])) is not None
        self.assert_sound(planner.plan(start, goal, SCALE, TIMEOUT), start, goal, SCALE, bare)

    def test_the_safe_pose_is_reached_from_the_start_pose_and_from_a_grasp(
        self, planner: Planner, bare: ArmCollisionChecker
    ) -> None:
        profile = bare.profile
        for start in (profile.start, self.place(profile, 0.27, -0.05, 0.02)):
            self.assert_sound(planner.plan(start, profile.safe, SCALE, TIMEOUT), start, profile.safe, SCALE, bare)

    @pytest.mark.parametrize("depth", [0.004, 0.015])
    def test_a_start_that_touches_is_left_without_pushing_harder(
        self, planner: Planner, bare: ArmCollisionChecker, depth: float
    ) -> None:
        profile = bare.profile
        start = self.place(profile, 0.30, -0.10, 0.012 - depth)  # the fingers' ends are 12 mm below the tip
        assert "touches table" in str(bare.collides(start))
        motion = planner.plan(start, profile.safe, SCALE, TIMEOUT)
        overlaps = np.array([bare.clearances(row).min() for row in motion.joints])
        assert overlaps.min() >= bare.clearances(start).min() - 2e-3
        first_free = int(np.argmax(overlaps > 0.0))
        assert (overlaps[first_free:] > 0.0).all()
        assert motion.joints[-1] == pytest.approx(profile.safe, abs=ROUNDING)

    def test_a_smaller_scale_takes_longer_and_keeps_its_own_limits(
        self, planner: Planner, bare: ArmCollisionChecker
    ) -> None:
        start, goal = bare.profile.start, bare.profile.safe
        slow, quick = planner.plan(start, goal, 0.2, TIMEOUT), planner.plan(start, goal, 0.8, TIMEOUT)
        assert slow.seconds > quick.seconds
        self.assert_sound(slow, start, goal, 0.2, bare)

    def test_from_a_pose_to_itself_it_stays(self, planner: Planner, profile: RobotProfile) -> None:
        motion = planner.plan(profile.start, profile.start, SCALE, TIMEOUT)
        assert np.abs(motion.joints - profile.start).max() < ROUNDING

    def test_a_goal_that_touches_is_refused_with_what_touches_what(
        self, planner: Planner, profile: RobotProfile
    ) -> None:
        with pytest.raises(PlanningError, match=r"(finger|gripper).* table"):
            planner.plan(profile.start, self.place(profile, 0.30, -0.10, -0.01), SCALE, TIMEOUT)

    @pytest.mark.parametrize("what", ["start", "goal"])
    def test_a_pose_beyond_the_limits_is_refused_with_joint_and_limit(
        self, planner: Planner, profile: RobotProfile, what: str
    ) -> None:
        beyond = profile.start.copy()
        beyond[2] = profile.upper[2] + 0.1
        ends = (beyond, profile.safe) if what == "start" else (profile.start, beyond)
        with pytest.raises(PlanningError, match=rf"{what}.*elbow.*1\.7057.*1\.6057"):
            planner.plan(*ends, SCALE, TIMEOUT)

    @pytest.mark.parametrize("angles", [np.full(6, np.nan), np.full(6, np.inf), np.zeros(5), np.zeros((2, 6))])
    def test_angles_that_are_no_pose_are_refused(
        self, planner: Planner, profile: RobotProfile, angles: Float64Array
    ) -> None:
        with pytest.raises(PlanningError, match="6"):
            planner.plan(profile.start, angles, SCALE, TIMEOUT)
        with pytest.raises(PlanningError, match="6"):
            planner.plan(angles, profile.start, SCALE, TIMEOUT)

    @pytest.mark.parametrize(("scale", "timeout"), [(0.0, 1.0), (1.5, 1.0), (np.nan, 1.0), (0.5, 0.0), (0.5, np.nan)])
    def test_a_scale_or_a_time_out_of_range_is_refused(
        self, planner: Planner, profile: RobotProfile, scale: float, timeout: float
    ) -> None:
        with pytest.raises(PlanningError, match=r"scale|timeout"):
            planner.plan(profile.start, profile.safe, scale, timeout)

    def test_without_the_time_for_a_way_around_it_says_what_is_in_the_way(
        self, planner: Planner, profile: RobotProfile
    ) -> None:
        with pytest.raises(PlanningError, match="touches bowl"):
            planner.plan(*self.both_sides_of_the_bowl(profile), SCALE, 1e-6)
