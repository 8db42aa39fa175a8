"""The planner that comes with AMS keeps every planner's contract, and a few promises of its own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from planner_contract import SCALE, TIMEOUT, PlannerContract

from ams_ros.errors import PlanningError
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.embedded_planner import EmbeddedPlanner
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.robot.profile import RobotProfile


class TestEmbeddedPlanner(PlannerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def checker(cls, profile: RobotProfile) -> ArmCollisionChecker:
        return ArmCollisionChecker(profile, load_surroundings("table_and_bowl"))

    @pytest.fixture(scope="class")
    @classmethod
    def planner(cls, profile: RobotProfile, checker: ArmCollisionChecker) -> EmbeddedPlanner:
        return EmbeddedPlanner(profile, checker)

    def test_the_same_question_gets_the_same_answer_and_another_seed_another_way(
        self, profile: RobotProfile, checker: ArmCollisionChecker
    ) -> None:
        ends = self.both_sides_of_the_bowl(profile)
        first, second, other = (
            EmbeddedPlanner(profile, checker, seed).plan(*ends, SCALE, TIMEOUT).joints for seed in (1, 1, 2)
        )
        assert np.array_equal(first, second)
        assert not np.array_equal(first, other)

    def test_an_arm_pushed_a_little_past_a_limit_is_brought_back_within(
        self, planner: EmbeddedPlanner, profile: RobotProfile
    ) -> None:
        start = profile.start.copy()
        start[0] = profile.lower[0] - 0.03
        joints = planner.plan(start, profile.safe, SCALE, TIMEOUT).joints
        outside = joints[:, 0] < profile.lower[0]
        assert (np.diff(outside.astype(int)) <= 0).all()
        assert joints[:, 0].min() >= start[0]
        assert joints[-1] == pytest.approx(profile.safe)

    def test_an_arm_too_deep_in_the_table_is_left_for_a_person(
        self, planner: EmbeddedPlanner, profile: RobotProfile
    ) -> None:
        start = profile.start.copy()
        start[1] = profile.upper[1]
        with pytest.raises(PlanningError, match=r"touches table, and no short way out"):
            planner.plan(start, profile.safe, SCALE, TIMEOUT)

    def test_what_the_checker_raises_comes_through_the_search(
        self, planner: EmbeddedPlanner, profile: RobotProfile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ends, asked = self.both_sides_of_the_bowl(profile), ArmCollisionChecker.path_collides
        calls = iter(range(100))

        def fails_in_the_search(checker: ArmCollisionChecker, waypoints: np.ndarray) -> str | None:
            if next(calls) == 2:
                raise KeyboardInterrupt
            return asked(checker, waypoints)

        monkeypatch.setattr(ArmCollisionChecker, "path_collides", fails_in_the_search)
        with pytest.raises(KeyboardInterrupt):
            planner.plan(*ends, SCALE, TIMEOUT)


@pytest.mark.integration
@pytest.mark.parametrize("modules", [("coal, pinocchio, ompl", "rclpy"), ("rclpy", "coal, pinocchio, ompl")])
def test_the_libraries_raise_python_errors_in_either_order_with_rclpy(modules: tuple[str, str]) -> None:
    program = (
        "".join(f"import {module}\n" for module in modules) + "import numpy as np\n"
        "from ompl import base\n"
        "context = rclpy.Context(); context.init(); context.try_shutdown()\n"
        "bounds = base.RealVectorBounds(1); bounds.setLow(0, 1.0); bounds.setHigh(0, -1.0)\n"
        "pose = pinocchio.SE3.Identity()\n"
        "for fails in (lambda: base.RealVectorStateSpace(1).setBounds(bounds),\n"
        "              lambda: pinocchio.Model().addJoint(7, pinocchio.JointModelRX(), pose, 'a')):\n"
        "    try: fails()\n"
        "    except Exception as error: print(type(error).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["RuntimeError", "ValueError"]), done.stderr
