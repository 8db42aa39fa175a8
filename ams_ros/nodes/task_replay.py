"""Action replay over ROS: what a configured supervisor has of it, and what each task gets."""

from __future__ import annotations

import time
from dataclasses import replace

from ams_ros.errors import PoolError
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.replay_settings import replay_settings, return_settings, signal_settings
from ams_ros.nodes.ros_job_book import RosJobBook
from ams_ros.nodes.ros_judge import RosJudge
from ams_ros.recovery.planner import Planner
from ams_ros.recovery.surroundings import Surroundings
from ams_ros.replay.evidence.judged_progress import JudgedProgress
from ams_ros.replay.evidence.robot_progress import RobotProgress
from ams_ros.replay.progress_feed import ProgressFeed
from ams_ros.replay.replay import Replay
from ams_ros.replay.return_to_start import ReturnToStart
from ams_ros.replay.task_file import load_task
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.profile import load_profile
from ams_ros.robot.recoverable import RecoverableRobot
from ams_ros.robot.stop_request import StopRequest
from ams_ros.srv import JudgeTask
from ams_ros.types import Mode, TaskRequest

_POLL_SECONDS = 0.05


class TaskReplay:
    """Made once per configuration; `work` is the loop of a background thread."""

    def __init__(
        self,
        node: AmsNode,
        robot: RecoverableRobot,
        planner: Planner,
        driver: DriverProfile,
        surroundings: Surroundings,
    ) -> None:
        """As the node's parameters say; raises ConfigurationError for one that cannot be used."""
        self._node, self._driver, self._surroundings = node, driver, surroundings
        self._profile = load_profile(driver.robot)
        self._pool_service = node.resolve_service_name(f"{node.setting('pool')}/set_outcome")
        self._book = RosJobBook(node, node.setting("pool"), node.setting("pool_timeout"))
        judge = node.setting("judge_service")
        self._judge = node.create_client(JudgeTask, judge) if judge else None
        self._asked: RosJudge | None = None
        self._parts = Replay(
            progress=RobotProgress(self._profile, driver, surroundings),
            feed=ProgressFeed(robot),
            home=ReturnToStart(robot, planner, self._profile, return_settings(node)),
            deadband=self._profile.deadband,
            book=self._book,
            settings=replay_settings(node),
            signal=signal_settings(node),
        )

    def work(self, stop: StopRequest) -> None:
        """Tell the pool how attempts went."""
        self._book.work(stop)

    def of(self, request: TaskRequest, stop: StopRequest) -> Replay:
        """What that task gets; `stop` ends its waits.

        Raises ConfigurationError for an unknown task, PoolError for one that needs a pool where there is none.
        """
        task = load_task(request.task, self._surroundings) if request.task else None
        if request.mode is Mode.AMS:
            self._require_pool(stop)
        own = RobotProgress(self._profile, self._driver, self._surroundings, alone=self._judge is None)
        if self._judge is None or not request.mode.replayed:
            return replace(self._parts, progress=own, task=task)
        self._asked = RosJudge(self._judge, self._node.setting("judge_timeout"), stop, self._tell_judge)
        return replace(self._parts, progress=JudgedProgress(own, self._asked), task=task)

    def end_task(self) -> None:
        """The task is over: its judge is asked no more."""
        if self._asked is not None:
            self._asked.close()
            self._asked = None

    def _tell_judge(self, complaint: str) -> None:
        self._node.set_concern(complaint)
        if complaint:
            self._node.get_logger().warning(f"{complaint}: what the robot itself can tell counts until it speaks")

    def _require_pool(self, stop: StopRequest) -> None:
        deadline = time.monotonic() + self._node.setting("server_wait")
        while not self._node.count_services(self._pool_service):
            if stop.wait(_POLL_SECONDS):
                return
            if time.monotonic() > deadline:
                raise PoolError(
                    f"mode {Mode.AMS.value} needs the context pool. Nobody offers {self._pool_service}: "
                    f"`ams up` starts one; mode {Mode.RESET.value} goes on without"
                )
