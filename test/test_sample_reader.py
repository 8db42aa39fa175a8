"""Sensor messages read straight from their bytes say what rclpy reads from them, whatever their layout."""

from __future__ import annotations

import pytest
from geometry_msgs.msg import WrenchStamped
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from ams_ros.nodes.sample_reader import JointStateReader, WrenchReader

numbers = st.floats(allow_nan=False, width=64)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=9)


@st.composite
def joint_states(draw: st.DrawFn) -> list[JointState]:
    """Three samples of one layout, as one sensor sends them."""
    names = draw(st.lists(texts, max_size=8))
    sizes = [draw(st.sampled_from([0, len(names), 3])) for _ in range(3)]
    frame = draw(texts)
    return [_joint_state(draw, names, sizes, frame) for _ in range(3)]


def _joint_state(draw: st.DrawFn, names: list[str], sizes: list[int], frame: str) -> JointState:
    values = [draw(st.lists(numbers, min_size=size, max_size=size)) for size in sizes]
    message = JointState(name=names, position=values[0], velocity=values[1], effort=values[2])
    message.header.frame_id = frame
    message.header.stamp.sec = draw(st.integers(-(2**31), 2**31 - 1))
    message.header.stamp.nanosec = draw(st.integers(0, 2**32 - 1))
    return message


def seconds(message: JointState | WrenchStamped) -> float:
    return message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec


@given(st.lists(joint_states(), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_joint_states_are_read_as_rclpy_reads_them_also_when_their_layout_changes(
    sensors: list[list[JointState]],
) -> None:
    reader = JointStateReader()
    for message in (message for sensor in sensors for message in sensor):
        found = reader.read(serialize_message(message))
        assert found == (message.name, message.position, message.velocity, message.effort, seconds(message))


@given(st.lists(st.tuples(texts, st.lists(numbers, min_size=6, max_size=6)), min_size=2, max_size=6))
@settings(max_examples=60, deadline=None)
def test_wrenches_are_read_as_rclpy_reads_them_also_when_their_frame_changes(
    samples: list[tuple[str, list[float]]],
) -> None:
    reader = WrenchReader()
    for frame, values in samples:
        message = WrenchStamped()
        message.header.frame_id, message.header.stamp.sec = frame, 7
        force, torque = message.wrench.force, message.wrench.torque
        force.x, force.y, force.z, torque.x, torque.y, torque.z = values
        assert reader.read(serialize_message(message)) == (frame, tuple(values[:3]), tuple(values[3:]), 7.0)


def test_what_fills_the_gaps_between_fields_does_not_matter() -> None:
    reader, raw = JointStateReader(), bytearray(serialize_message(JointState(name=["a"], position=[1.5])))
    first = reader.read(bytes(raw))
    lessons = reader.lessons
    raw[17:20] = b"\xff\xff\xff"  # behind the empty name of the frame
    assert reader.read(bytes(raw)) == first
    assert reader.lessons == lessons


def test_a_sender_that_changes_its_layout_all_the_time_is_read_right_and_no_longer_learned() -> None:
    reader = JointStateReader()
    for number in range(40):
        names = [f"joint{each}" for each in range(number)]
        assert reader.read(serialize_message(JointState(name=names)))[0] == names
    assert reader.lessons < 40


def test_bytes_that_are_no_message_are_not_taken_for_one() -> None:
    reader, raw = JointStateReader(), serialize_message(JointState(name=["a"], position=[1.5]))
    reader.read(raw)
    with pytest.raises(Exception, match="deserialize"):
        reader.read(raw[:30])
