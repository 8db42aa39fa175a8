"""From recorded messages to runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.exception.calibration.mcap_file import channels_of, files_of, messages_of
from ams_ros.exception.calibration.run import Arrived, Begun, Ended, Run
from ams_ros.exception.calibration.run_splitter import RunSplitter
from ams_ros.exception.goal_watch import GoalNews, GoalWatch, start_of_goal
from ams_ros.exception.plan import MotionPlan, Purpose
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Float64Array, JointSample, WrenchSample

JOINT_STATE = "sensor_msgs/msg/JointState"
WRENCH = "geometry_msgs/msg/WrenchStamped"
STATUS = "action_msgs/msg/GoalStatusArray"
PLAN = "ams_ros/msg/MotionPlan"

_LIVE = frozenset({1, 2, 3})
"""action_msgs/GoalStatus: accepted, executing, canceling."""

_NOT_SUCH = (AttributeError, TypeError, ValueError)
"""What comes of a message that is described otherwise than the type it is named after."""


def wanted_topics(driver: DriverProfile) -> dict[str, str]:
    """Message type by topic of what a driver publishes that calibration looks at; plans come besides."""
    wanted = {
        _absolute(driver.joint_states.topic): JOINT_STATE,
        _absolute(f"{driver.arm_action}/_action/status"): STATUS,
    }
    return wanted if driver.wrench is None else {**wanted, _absolute(driver.wrench.topic): WRENCH}


def read_runs(recording: Path, driver: DriverProfile, profile: RobotProfile) -> Iterator[Run]:
    """The runs in a recording, one after the other; at most one lies in memory.

    A recording is one run unless it holds several tasks, see `RunSplitter`. Without statuses of goals it is one run, in
    which only samples of a moving arm count. Raises ConfigurationError naming file and topic of what cannot be used.
    """
    files = files_of(recording)
    topics = {topic: kind for file in files for topic, kind in channels_of(file).items()}
    joints = _absolute(driver.joint_states.topic)
    if joints not in topics:
        raise ConfigurationError(f"topics of {recording}", ", ".join(sorted(topics)) or "none", f"{joints} among them")
    plans = [topic for topic, kind in topics.items() if kind == PLAN]
    reader = _Reader(_plans(files, plans, profile))
    splitter, wanted = RunSplitter(str(recording)), wanted_topics(driver)
    for file in files:
        for topic, message, time in messages_of(file, wanted):
            try:
                events = reader.events(wanted[topic], message, time)
            except _NOT_SUCH as error:
                raise ConfigurationError(f"{topic} in {file}", str(error), f"messages of {wanted[topic]}") from error
            for event in events:
                yield from splitter.take(event)
    yield from splitter.rest()


def _plans(files: list[Path], topics: list[str], profile: RobotProfile) -> dict[str, MotionPlan]:
    """By goal. All of them first, since a plan may have been recorded after the status of its goal."""
    found: dict[str, MotionPlan] = {}
    for file in files:
        for topic, message, _ in messages_of(file, dict.fromkeys(topics, PLAN)) if topics else ():
            try:
                plan = _plan_of(message, profile.joint_names)
            except _NOT_SUCH as error:
                raise ConfigurationError(f"{topic} in {file}", str(error), f"plans of {profile.name}") from error
            found.setdefault(plan.goal, plan)
    return found


class _Reader:
    """Makes events of messages, as the monitor would have seen them."""

    def __init__(self, plans: Mapping[str, MotionPlan]) -> None:
        self._plans, self._goals = plans, GoalWatch()
        self._executing, self._stamp = "", -np.inf
        self._names: tuple[str, ...] = ()

    def events(self, kind: str, message: Any, time: float) -> Sequence[Arrived | Begun | Ended]:
        if kind == STATUS:
            return list(self._follow(message))
        sample = self._joint_sample(message) if kind == JOINT_STATE else _wrench_sample(message)
        self._stamp = sample.stamp
        return (Arrived(sample, time),)

    def _joint_sample(self, message: Any) -> JointSample:
        # One tuple for all samples: as many copies of the names would be most of what a run takes up.
        if tuple(message.name) != self._names:
            self._names = tuple(message.name)
        velocity, effort = _numbers(message.velocity), _numbers(message.effort)
        return JointSample(
            _seconds(message.header.stamp),
            self._names,
            _numbers(message.position),
            velocity if len(velocity) else None,
            effort if len(effort) else None,
        )

    def _follow(self, message: Any) -> Iterator[Begun | Ended]:
        self._goals.update(
            [
                GoalNews(bytes(each.goal_info.goal_id.uuid).hex(), each.status in _LIVE, _seconds(each.goal_info.stamp))
                for each in message.status_list
            ]
        )
        newest = self._goals.newest()
        goal = newest.goal if newest is not None else ""
        if goal == self._executing:
            return
        if self._executing:
            yield Ended(self._stamp)
        self._executing = goal
        if newest is not None:
            yield Begun(self._plans.get(goal), start_of_goal(newest.stamp, self._stamp))


def _wrench_sample(message: Any) -> WrenchSample:
    force, torque = message.wrench.force, message.wrench.torque
    return WrenchSample(
        _seconds(message.header.stamp),
        message.header.frame_id,
        np.array([force.x, force.y, force.z]),
        np.array([torque.x, torque.y, torque.z]),
    )


def _plan_of(message: Any, joint_names: tuple[str, ...]) -> MotionPlan:
    if tuple(message.joint_names) != joint_names:
        raise ValueError(f"a plan of the joints {', '.join(message.joint_names)}")
    positions = _numbers(message.positions)
    if not len(positions) or len(positions) % len(joint_names):
        raise ValueError(f"a plan of {len(positions)} positions for {len(joint_names)} joints")
    return MotionPlan(
        goal=message.goal,
        context_id=message.context_id,
        slice=message.slice,
        first_step=message.first_step,
        joints=positions.reshape(-1, len(joint_names)),
        gripper=message.gripper,
        previous_gripper=message.previous_gripper,
        period=_seconds(message.period),
        sub_slices=tuple(int(end) for end in message.sub_slices),
        purpose=Purpose(message.purpose),
    )


def _numbers(values: Any) -> Float64Array:
    return np.array(values, dtype=np.float64)


def _seconds(stamp: Any) -> float:
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9


def _absolute(topic: str) -> str:
    return topic if topic.startswith("/") else f"/{topic}"
