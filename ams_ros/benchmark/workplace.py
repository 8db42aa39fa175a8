"""One arm, its table and everything AMS puts around it, in this process and for any number of episodes."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.benchmark.request import Variation
from ams_ros.benchmark.truth import SealedPlant, SealedRobot
from ams_ros.errors import ConfigurationError
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.recovery.collision import ArmCollisionChecker
from ams_ros.recovery.embedded_planner import EmbeddedPlanner
from ams_ros.recovery.recovery import Recovery
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.replay.evidence.robot_progress import RobotProgress
from ams_ros.replay.progress import JobBook
from ams_ros.replay.progress_feed import ProgressFeed
from ams_ros.replay.replay import Replay
from ams_ros.replay.return_to_start import ReturnToStart
from ams_ros.replay.settings import ReplaySettings
from ams_ros.replay.signal import SignalSettings
from ams_ros.replay.task_file import load_task
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.guarded_robot import GuardOptions
from ams_ros.simulation.tasks import find_task

DRIVERS = {"widowx_250s": "simulated_widowx", "jaka_s5": "simulated_jaka"}
"""Of each simulated arm."""

_WITH_BOWL = {"widowx_250s": "table_and_bowl", "jaka_s5": "table_and_bowl_jaka"}
_WITHOUT_BOWL = {"widowx_250s": "table"}


def surroundings_of(robot: str, task: str) -> str:
    """What stands around that arm in scenes of that task.

    Raises ConfigurationError for a robot that is not simulated, and for a task that it has no table for.
    """
    if robot not in DRIVERS:
        raise ConfigurationError("robot", robot, ", ".join(DRIVERS))
    tables = _WITH_BOWL if "cube" in find_task(task).kinds else _WITHOUT_BOWL
    if robot not in tables:
        raise ConfigurationError("robot", robot, f"{', '.join(tables)} for task {task!r}")
    return tables[robot]


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A robot with what belongs to it for its lifetime."""

    robot: SealedRobot
    feed: ProgressFeed
    home: ReturnToStart
    recovery: Recovery


class Workplace:
    """Two robots take turns at one plant: one whose monitor acts, and one whose monitor only watches."""

    def __init__(self, robot: str, task: str) -> None:
        """Build everything once. Raises ConfigurationError for a robot that is not simulated with that task."""
        self._surroundings = load_surroundings(surroundings_of(robot, task))
        self.profile, self._driver = load_profile(robot), load_driver(DRIVERS[robot])
        self.plant = SealedPlant(self.profile)
        checker = ArmCollisionChecker(self.profile, self._surroundings)
        self._planner, self._checker = EmbeddedPlanner(self.profile, checker), checker
        self._acting = self._body(GuardOptions())
        self._watching = self._body(GuardOptions(announce=False, shadow=True))

    def body(self, *, acts: bool) -> Body:
        """The robot whose monitor stops what goes wrong, or the one whose monitor does not."""
        return self._acting if acts else self._watching

    def replay(self, body: Body, task: str, book: JobBook | None, variation: Variation) -> Replay:
        """What a task loop needs to see jobs done, and to replay."""
        settings, signal = ReplaySettings(), SignalSettings()
        return Replay(
            progress=RobotProgress(self.profile, self._driver, self._surroundings),
            feed=body.feed,
            home=body.home,
            deadband=self.profile.deadband,
            book=book,
            task=load_task(task, self._surroundings),
            settings=ReplaySettings(start_time=variation.start_time or settings.start_time, variant=variation.variant),
            signal=SignalSettings(arm=variation.arm or signal.arm, gripper=variation.gripper or signal.gripper),
        )

    def close(self) -> None:
        """Give the plant's OpenGL context back."""
        self.plant.close()

    def _body(self, options: GuardOptions) -> Body:
        watched = WatchedRobot(self.profile, self._driver, ArmDynamics(self.profile))
        robot = SealedRobot(self.plant, watched, load_rule_settings(self._driver), options)
        recovery = Recovery(robot, self._planner, self._checker, self.profile, self._driver)
        return Body(robot, ProgressFeed(robot), ReturnToStart(robot, self._planner, self.profile), recovery)
