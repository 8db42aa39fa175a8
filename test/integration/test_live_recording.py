"""Recording a running robot for calibration, over DDS: what arrives is in the file, and it ends with the task."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
from action_msgs.msg import GoalInfo, GoalStatus, GoalStatusArray
from ams_ros.msg import MotionPlan
from calibration_runs import standing
from geometry_msgs.msg import WrenchStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from unique_identifier_msgs.msg import UUID
from watched_arm import NAMES, PROFILE, watched

from ams_ros.cli.live_recording import recorded_live
from ams_ros.errors import RobotError
from ams_ros.exception.calibration.recording import read_runs
from ams_ros.exception.calibration.run import Arrived, Begun, Ended
from ams_ros.nodes.conversions import to_time
from ams_ros.nodes.exception_conversions import plan_message
from ams_ros.types import WrenchSample

pytestmark = pytest.mark.integration

DRIVER = watched().driver
GOAL = "5a" * 16
STATUS_QOS = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SAMPLES = 40


def status(code: int, stamp: float) -> GoalStatusArray:
    goal = GoalInfo(goal_id=UUID(uuid=np.frombuffer(bytes.fromhex(GOAL), np.uint8)), stamp=to_time(stamp))
    return GoalStatusArray(status_list=[GoalStatus(goal_info=goal, status=code)])


class Robot:
    """Publishes joint states and wrenches until it is closed; one goal and one task run from sample 10 to 30."""

    def __init__(self, probe):
        node = probe.node
        self._joints = node.create_publisher(JointState, "/joint_states", 10)
        self._wrench = node.create_publisher(WrenchStamped, "/wrench", 10)
        action = "/arm_controller/follow_joint_trajectory/_action/status"
        self._goals = node.create_publisher(GoalStatusArray, action, STATUS_QOS)
        self._tasks = node.create_publisher(
            GoalStatusArray, "/ams/replay_supervisor/run_task/_action/status", STATUS_QOS
        )
        self._plans = node.create_publisher(MotionPlan, "/ams/replay_supervisor/plan", 100)
        self._sent, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.wait(0.01):
            if self._sent or self._heard():
                self._sent += 1
                self._publish(5.0 + 0.01 * self._sent)

    def _heard(self):
        publishers = (self._joints, self._wrench, self._goals, self._tasks, self._plans)
        return all(each.get_subscription_count() for each in publishers)

    def _publish(self, stamp):
        header = Header(stamp=to_time(stamp))
        zeros = [0.0] * len(NAMES)
        self._joints.publish(
            JointState(header=header, name=NAMES, position=[*PROFILE.start, 0.03], velocity=zeros, effort=zeros)
        )
        self._wrench.publish(WrenchStamped(header=header))
        if self._sent == 10:
            self._plans.publish(plan_message(standing(0, GOAL), PROFILE.joint_names, to_time(stamp)))
        if self._sent in {10, SAMPLES}:
            code = GoalStatus.STATUS_EXECUTING if self._sent == 10 else GoalStatus.STATUS_SUCCEEDED
            self._goals.publish(status(code, stamp))
            self._tasks.publish(status(code, stamp))


def test_a_task_on_a_running_robot_is_recorded_from_its_begin_to_its_end(probe, tmp_path):
    robot = Robot(probe)
    try:
        with recorded_live(DRIVER, 1, 20.0, tmp_path / "live.mcap") as path:
            (run,) = read_runs(path, DRIVER, PROFILE)
    finally:
        robot.close()
    assert path.exists()
    (begun,) = [event for event in run.events if isinstance(event, Begun)]
    assert begun.plan is not None
    assert begun.plan.goal == GOAL
    assert sum(isinstance(event, Ended) for event in run.events) == 1
    kinds = Counter(type(event.sample) for event in run.events if isinstance(event, Arrived))
    assert all(count >= SAMPLES for count in kinds.values())
    assert kinds[WrenchSample] > 0


def test_a_robot_that_says_nothing_is_told_of_and_leaves_no_recording_to_learn_from(probe):
    with pytest.raises(RobotError, match="nothing came on /joint_states"), recorded_live(DRIVER, None, 1.0, None):
        pytest.fail("there is nothing to learn from")
