"""Recording a running graph into an MCAP file, with what calibration looks at and nothing else."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from action_msgs.msg import GoalStatus, GoalStatusArray
from ament_index_python.packages import get_package_share_directory
from geometry_msgs.msg import WrenchStamped
from mcap.writer import Writer
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from ams_ros.cli.graph import listed_namespace
from ams_ros.cli.interrupts import Interrupts
from ams_ros.cli.output import console, writable_file
from ams_ros.cli.ros_session import RosSession
from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.exception.calibration.recording import JOINT_STATE, PLAN, STATUS, WRENCH, wanted_topics
from ams_ros.msg import MotionPlan
from ams_ros.robot.driver import DriverProfile

_TYPES = {JOINT_STATE: JointState, WRENCH: WrenchStamped, STATUS: GoalStatusArray, PLAN: MotionPlan}
_QOS = {
    JOINT_STATE: QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT),
    WRENCH: QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT),
    # As action servers publish it: what runs already is heard of at once.
    STATUS: QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    PLAN: QoSProfile(depth=100),
}
_ENDED = frozenset({GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED})
_NESTED = re.compile(r"^\s*(?:([a-zA-Z]\w*)/(?:msg/)?)?([A-Z]\w*)(?:\[[^\]]*\])?\s+\w")
_SETTLING = 1.0
"""s that are recorded after the last task, in which its arm comes to rest."""


@contextmanager
def recorded_live(driver: DriverProfile, tasks: int | None, seconds: float, keep: Path | None) -> Iterator[Path]:
    """Record until `tasks` tasks have ended, `seconds` are over or Ctrl-C, and give the file.

    keep: where it stays; None: in a folder that goes with the block. Raises ConfigurationError when that file exists,
    RobotError when no joint states came.
    """
    if keep is not None and keep.exists():
        raise ConfigurationError("--keep", str(keep), "a file that does not exist yet")
    with tempfile.TemporaryDirectory(prefix="ams_calibrate_") as folder:
        path = Path(folder) / "live.mcap" if keep is None else writable_file("--keep", keep, (".mcap",))
        with path.open("wb") as stream, Interrupts() as interrupts, RosSession() as session:
            _LiveRecording(session, stream, driver).run(tasks, seconds, lambda: interrupts.stop.requested)
        yield path


class _LiveRecording:
    """Writes messages as they arrive, undecoded."""

    def __init__(self, session: RosSession, stream: Any, driver: DriverProfile) -> None:
        self._session, self._driver, self._writer = session, driver, Writer(stream)
        self._writer.start(profile="ros2")
        self._counts: dict[str, int] = {}
        self._running: set[bytes] = set()
        self._tasks = 0
        supervisor = f"{listed_namespace(None)}/replay_supervisor"
        for topic, kind in {**wanted_topics(driver), f"{supervisor}/plan": PLAN}.items():
            self._record(topic, kind)
        session.node.create_subscription(
            GoalStatusArray, f"{supervisor}/run_task/_action/status", self._follow_tasks, _QOS[STATUS]
        )

    def run(self, tasks: int | None, seconds: float, stop: Callable[[], bool]) -> None:
        """Record; returns when the file is whole."""
        wanted = f"{tasks} tasks, " if tasks is not None else ""
        console().print(f"Recording until {wanted}{seconds:g} s or Ctrl-C. Run tasks now that go well.")
        self._session.until(lambda: stop() or (tasks is not None and self._tasks >= tasks), seconds)
        if not stop():
            self._session.spin(_SETTLING)
        self._writer.finish()
        joints = next(topic for topic, kind in wanted_topics(self._driver).items() if kind == JOINT_STATE)
        if not self._counts[joints]:
            raise RobotError(f"nothing came on {joints}: does the robot run, in this ROS domain?")

    def _record(self, topic: str, kind: str) -> None:
        schema = self._writer.register_schema(kind, "ros2msg", message_text(kind).encode())
        channel = self._writer.register_channel(topic, "cdr", schema)
        self._counts[topic] = 0

        def write(data: bytes) -> None:
            self._counts[topic] += 1
            now = time.time_ns()
            self._writer.add_message(channel, now, data, now, self._counts[topic])

        self._session.node.create_subscription(_TYPES[kind], topic, write, _QOS[kind], raw=True)

    def _follow_tasks(self, message: GoalStatusArray) -> None:
        """Count tasks that end; those that had ended before do not count."""
        for each in message.status_list:
            goal = bytes(each.goal_info.goal_id.uuid)
            if each.status not in _ENDED:
                self._running.add(goal)
            elif goal in self._running:
                self._running.discard(goal)
                self._tasks += 1


def message_text(kind: str) -> str:
    """The definition of a message with all it is made of, in the form MCAP files carry it (ros2msg)."""
    parts, waiting, seen = [], [kind], {kind}
    while waiting:
        package, _, name = waiting.pop(0).split("/")
        text = (Path(get_package_share_directory(package)) / "msg" / f"{name}.msg").read_text(encoding="utf-8")
        parts.append(text if not parts else f"{'=' * 80}\nMSG: {package}/{name}\n{text}")
        for line in text.splitlines():
            nested = _NESTED.match(line)
            if nested is not None:
                inner = f"{nested[1] or package}/msg/{nested[2]}"
                if inner not in seen:
                    seen.add(inner)
                    waiting.append(inner)
    return "\n".join(parts)
