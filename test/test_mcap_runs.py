"""Runs out of MCAP recordings; whatever is wrong with a file is told by its name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from calibration_runs import noise, shaken, standing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType
from mcap.writer import Writer as PlainWriter
from mcap_ros2.writer import Writer
from watched_arm import PROFILE, watched

from ams_ros.cli.live_recording import message_text
from ams_ros.errors import ConfigurationError
from ams_ros.exception.calibration.recording import JOINT_STATE, PLAN, STATUS, WRENCH, read_runs
from ams_ros.exception.calibration.replay import Replay
from ams_ros.exception.calibration.run import Arrived, Begun, Ended, Run
from ams_ros.exception.plan import MotionPlan
from ams_ros.exception.threshold_file import default_rule_settings
from ams_ros.types import JointSample

DRIVER = watched().driver
TOPICS = {
    JOINT_STATE: "/joint_states",
    WRENCH: "/wrench",
    STATUS: "/arm_controller/follow_joint_trajectory/_action/status",
    PLAN: "/ams/replay_supervisor/plan",
}


@cache
def text(kind: str) -> str:
    return message_text(kind)


def stamp(seconds: float) -> dict[str, int]:
    nanoseconds = round(seconds * 1e9)
    return {"sec": nanoseconds // 10**9, "nanosec": nanoseconds % 10**9}


def status(*goals: tuple[str, int, float]) -> dict[str, Any]:
    known = [
        {"goal_info": {"goal_id": {"uuid": list(bytes.fromhex(goal))}, "stamp": stamp(at)}, "status": code}
        for goal, code, at in goals
    ]
    return {"status_list": known}


def plan_message(plan: MotionPlan) -> dict[str, Any]:
    return {
        "header": {"stamp": stamp(0.0), "frame_id": ""},
        "goal": plan.goal,
        "purpose": plan.purpose.value,
        "context_id": plan.context_id,
        "slice": plan.slice,
        "first_step": plan.first_step,
        "joint_names": list(PROFILE.joint_names),
        "positions": plan.joints.ravel().tolist(),
        "gripper": plan.gripper,
        "previous_gripper": plan.previous_gripper,
        "period": stamp(plan.period),
        "sub_slices": list(plan.sub_slices),
    }


class Recorder:
    """Writes runs into one recording, as a recorder would."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")
        self._writer = Writer(self._stream, chunk_size=4096)
        self._schemas = {kind: self._writer.register_msgdef(kind, text(kind)) for kind in TOPICS}

    def write(self, run: Run, goal: str = "aa" * 16) -> None:
        """A run; its plan is recorded after the status of its goal, as it may happen."""
        now = 0.0
        for event in run.events:
            if isinstance(event, Arrived):
                now = event.arrival
                self._sample(event)
            elif isinstance(event, Begun):
                self._put(STATUS, status((goal, 2, event.stamp)), now)
                if event.plan is not None:
                    self._put(PLAN, plan_message(event.plan), now)
            else:
                self._put(STATUS, status((goal, 4, event.stamp)), now)

    def close(self) -> None:
        self._writer.finish()
        self._stream.close()

    def _sample(self, event: Arrived) -> None:
        sample = event.sample
        header = {"stamp": stamp(sample.stamp), "frame_id": getattr(sample, "frame", "")}
        if isinstance(sample, JointSample):
            arrays = {name: getattr(sample, name).tolist() for name in ("position", "velocity", "effort")}
            self._put(JOINT_STATE, {"header": header, "name": list(sample.names), **arrays}, event.arrival)
        else:
            force, torque = (dict(zip("xyz", each.tolist(), strict=True)) for each in (sample.force, sample.torque))
            self._put(WRENCH, {"header": header, "wrench": {"force": force, "torque": torque}}, event.arrival)

    def _put(self, kind: str, message: dict[str, Any], time: float) -> None:
        self._writer.write_message(TOPICS[kind], self._schemas[kind], message, round(time * 1e9))


def recorded(path: Path, *runs: tuple[Run, str]) -> Path:
    recorder = Recorder(path)
    for run, goal in runs:
        recorder.write(run, goal)
    recorder.close()
    return path


def later(run: Run, seconds: float) -> Run:
    """The same run at another time."""

    def moved(event: Any) -> Any:
        if isinstance(event, Begun):
            return Begun(event.plan, event.stamp + seconds)
        if isinstance(event, Ended):
            return Ended(event.stamp + seconds)
        fields = {name: getattr(event.sample, name) for name in event.sample.__slots__}
        fields["stamp"] += seconds
        return Arrived(type(event.sample)(**fields), event.arrival + seconds)

    return Run(run.name, tuple(map(moved, run.events)))


def goal(number: int) -> str:
    return f"{number:032x}"


RUN = shaken("made", noise(1), standing(0, goal(1)))


def test_a_recorded_run_is_the_run_that_was_recorded(tmp_path):
    (read,) = read_runs(recorded(tmp_path / "run.mcap", (RUN, goal(1))), DRIVER, PROFILE)
    assert [type(event) for event in read.events] == [type(event) for event in RUN.events]
    (begun,) = [event for event in read.events if isinstance(event, Begun)]
    assert begun.plan is not None
    np.testing.assert_array_equal(begun.plan.joints, standing(0, goal(1)).joints)
    replay = Replay(watched(), default_rule_settings())
    wanted, found = replay.score(RUN), replay.score(read)
    assert found.critical.keys() == wanted.critical.keys()
    assert found.critical == pytest.approx(dict(wanted.critical), rel=1e-5, abs=1e-9)


def test_a_recording_is_cut_where_the_next_task_begins_anew(tmp_path):
    runs = [(later(shaken("", noise(n), standing(n % 2, goal(n + 1))), n * 1.0), goal(n + 1)) for n in range(4)]
    found = list(read_runs(recorded(tmp_path / "tasks.mcap", *runs), DRIVER, PROFILE))
    assert [[event.plan.slice for event in run.events if isinstance(event, Begun)] for run in found] == [[0, 1], [0, 1]]
    # Each begins with samples of an arm at rest, in which the sensor's offset is taken.
    assert all(isinstance(event, Arrived) for run in found for event in run.events[:30])
    assert sum(len(run.events) for run in found) == sum(len(run.events) for run, _ in runs)


def test_a_recording_is_cut_where_no_goal_ran_for_long(tmp_path):
    first, second = shaken("", noise(1)), later(shaken("", noise(2)), 7.0)
    idle = [
        event
        for n in range(6)
        for event in later(shaken("", noise(3, 0)), 1.0 + n).events
        if isinstance(event, Arrived)
    ]
    path = recorded(tmp_path / "pause.mcap", (first, goal(1)), (Run("", tuple(idle)), goal(9)), (second, goal(2)))
    found = list(read_runs(path, DRIVER, PROFILE))
    assert [sum(isinstance(event, Begun) for event in run.events) for run in found] == [1, 1]


def test_a_folder_of_recorded_files_is_one_recording(tmp_path):
    recorded(tmp_path / "run_0.mcap", (RUN, goal(1)))
    recorded(tmp_path / "run_1.mcap", (later(shaken("", noise(2), standing(1, goal(2))), 1.0), goal(2)))
    (found,) = read_runs(tmp_path, DRIVER, PROFILE)
    assert sum(isinstance(event, Begun) for event in found.events) == 2


def plain(path: Path, schema: str, encoding: str, message_encoding: str) -> Path:
    with path.open("wb") as stream:
        writer = PlainWriter(stream, compression=CompressionType.NONE)
        writer.start(profile="ros2")
        number = writer.register_schema(schema, encoding, text(JOINT_STATE).encode())
        channel = writer.register_channel("/joint_states", message_encoding, number)
        writer.add_message(channel, 1, b"{}", 1)
        writer.finish()
    return path


@pytest.mark.parametrize(
    "written",
    [("std_msgs/msg/String", "ros2msg", "cdr"), (JOINT_STATE, "ros2idl", "cdr"), (JOINT_STATE, "jsonschema", "json")],
)
def test_a_topic_of_another_type_or_encoding_is_refused(tmp_path, written):
    with pytest.raises(ConfigurationError, match=r"/joint_states in .*odd\.mcap.*allowed: sensor_msgs/msg/JointState"):
        list(read_runs(plain(tmp_path / "odd.mcap", *written), DRIVER, PROFILE))


def test_a_message_that_is_described_otherwise_than_its_type_is_refused(tmp_path):
    path = tmp_path / "odd.mcap"
    with path.open("wb") as stream:
        writer = Writer(stream)
        schema = writer.register_msgdef(JOINT_STATE, "float64 angle\n")
        writer.write_message("/joint_states", schema, {"angle": 1.0}, 1)
        writer.finish()
    with pytest.raises(ConfigurationError, match=r"/joint_states in .*odd\.mcap"):
        list(read_runs(path, DRIVER, PROFILE))


def test_a_recording_without_the_joints_of_this_robot_tells_what_it_holds(tmp_path):
    path = recorded(tmp_path / "run.mcap", (RUN, goal(1)))
    with pytest.raises(ConfigurationError, match=r"run\.mcap: got '.*/joint_states.*allowed: /elsewhere"):
        list(read_runs(path, watched(joint_states=SimpleNamespace(topic="/elsewhere", rate=1.0)).driver, PROFILE))


def test_what_is_no_recording_is_refused(tmp_path):
    (tmp_path / "text.mcap").write_text("no recording")
    (tmp_path / "empty.mcap").touch()
    (tmp_path / "folder").mkdir()
    for name in ("text.mcap", "empty.mcap", "folder", "nothing.mcap"):
        with pytest.raises(ConfigurationError, match=name):
            list(read_runs(tmp_path / name, DRIVER, PROFILE))


def test_a_plan_of_another_arm_is_refused(tmp_path):
    path = recorded(tmp_path / "run.mcap", (RUN, goal(1)))
    profile = SimpleNamespace(name="another", joint_names=("a", "b"))
    with pytest.raises(ConfigurationError, match=r"replay_supervisor/plan in .*plans of another"):
        list(read_runs(path, DRIVER, profile))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_a_damaged_or_cut_off_file_is_read_or_refused_by_name_and_nothing_else_happens(tmp_path, place, byte, cut):
    whole = tmp_path / "whole.mcap"
    if not whole.exists():
        recorded(whole, (shaken("", noise(1, 4)), goal(1)))
    content = bytearray(whole.read_bytes())
    place %= len(content)
    content[place] = byte
    damaged = tmp_path / "damaged.mcap"
    damaged.write_bytes(content[:place] if cut else content)
    refused = None
    try:
        list(read_runs(damaged, DRIVER, PROFILE))
    except ConfigurationError as error:
        refused = str(error)
    assert not cut if refused is None else "damaged.mcap" in refused
