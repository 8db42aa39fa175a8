"""Reading sensor messages straight from their bytes: a tenth of the time that making the message objects takes.

A sensor sends the same layout again and again. What of a message never changes is learned from the first one that is
read in full, by rclpy; one that looks the same is then read by its places, and any other in full again.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from typing import Any

from geometry_msgs.msg import WrenchStamped
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

_LITTLE_ENDIAN = b"\x00\x01"
"""How a CDR message begins whose numbers lie in memory as ours do."""
_START, _FRAME = 4, 12
"""Places of the stamp, from which alignment counts, and of the frame's name behind it."""

_LESSONS = 16
"""So often a layout is learned; a sender that changes it all the time is read in full ever after."""

_stamp = struct.Struct("<iI").unpack_from
_length = struct.Struct("<I").unpack_from
_six = struct.Struct("<6d").unpack

JointReading = tuple[list[str], "array[float]", "array[float]", "array[float]", float]
"""Names, position, velocity, effort, stamp in s."""
WrenchReading = tuple[str, tuple[float, ...], tuple[float, ...], float]
"""Frame, force in N, torque in N m, stamp in s."""


class JointStateReader:
    """Reads sensor_msgs/JointState."""

    def __init__(self) -> None:
        """Nothing learned yet."""
        self._alike: re.Pattern[bytes] | None = None
        self._names: list[str] = []
        self.lessons = 0
        """How often a layout was learned."""

    def read(self, raw: bytes) -> JointReading:
        """The sample in a serialised message; raises what rclpy raises for bytes that are none."""
        found = self._alike.fullmatch(raw) if self._alike is not None else None
        if found is None:
            return self._read_in_full(raw)
        sec, nanosec = _stamp(raw, _START)
        position, velocity, effort = found.groups()
        return self._names, array("d", position), array("d", velocity), array("d", effort), sec + 1e-9 * nanosec

    def _read_in_full(self, raw: bytes) -> JointReading:
        message = deserialize_message(raw, JointState)
        if self.lessons < _LESSONS:
            self.lessons += 1
            self._alike, self._names = _joint_pattern(raw, message), list(message.name)
        return message.name, message.position, message.velocity, message.effort, _seconds(message)


class WrenchReader:
    """Reads geometry_msgs/WrenchStamped."""

    def __init__(self) -> None:
        """Nothing learned yet."""
        self._alike: re.Pattern[bytes] | None = None
        self._frame = ""
        self.lessons = 0
        """How often a layout was learned."""

    def read(self, raw: bytes) -> WrenchReading:
        """The sample in a serialised message; raises what rclpy raises for bytes that are none."""
        found = self._alike.fullmatch(raw) if self._alike is not None else None
        if found is None:
            return self._read_in_full(raw)
        sec, nanosec = _stamp(raw, _START)
        values = _six(found[1])
        return self._frame, values[:3], values[3:], sec + 1e-9 * nanosec

    def _read_in_full(self, raw: bytes) -> WrenchReading:
        message = deserialize_message(raw, WrenchStamped)
        force, torque = message.wrench.force, message.wrench.torque
        values = (force.x, force.y, force.z), (torque.x, torque.y, torque.z)
        if self.lessons < _LESSONS:
            self.lessons += 1
            self._alike, self._frame = _wrench_pattern(raw, (*values[0], *values[1])), message.header.frame_id
        return message.header.frame_id, *values, _seconds(message)


class _Layout:
    """Walks through a message that was read in full, and makes the pattern of those that differ in numbers only.

    What fills a gap between two fields is whatever lay in the sender's memory.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, _FRAME
        self._parts = [re.escape(_LITTLE_ENDIAN), b".{%d}" % (_FRAME - len(_LITTLE_ENDIAN))]

    def text(self) -> None:
        self._gap(4)
        self._same(4 + (int(_length(self._raw, self._at)[0]) if self._at + 4 <= len(self._raw) else 0))

    def count(self) -> None:
        self._gap(4)
        self._same(4)

    def doubles(self, count: int) -> None:
        if count:
            self._gap(8)
        self._parts.append(b"(.{%d})" % (8 * count))
        self._at += 8 * count

    def pattern(self, numbers: tuple[bytes, ...]) -> re.Pattern[bytes] | None:
        """numbers: what rclpy found there; None when this is not what the pattern finds."""
        rest = len(self._raw) - self._at
        if sys.byteorder != "little" or rest < 0:
            return None
        alike = re.compile(b"".join(self._parts) + b".{%d}" % rest, re.DOTALL)
        found = alike.fullmatch(self._raw)
        return alike if found is not None and found.groups() == numbers else None

    def _gap(self, alignment: int) -> None:
        gap = (_START - self._at) % alignment
        self._parts.append(b".{%d}" % gap)
        self._at += gap

    def _same(self, size: int) -> None:
        self._parts.append(re.escape(self._raw[self._at : self._at + size]))
        self._at += size


def _joint_pattern(raw: bytes, message: JointState) -> re.Pattern[bytes] | None:
    layout = _Layout(raw)
    layout.text()
    layout.count()
    for _ in message.name:
        layout.text()
    quantities = message.position, message.velocity, message.effort
    for values in quantities:
        layout.count()
        layout.doubles(len(values))
    return layout.pattern(tuple(values.tobytes() for values in quantities))


def _wrench_pattern(raw: bytes, values: tuple[float, ...]) -> re.Pattern[bytes] | None:
    layout = _Layout(raw)
    layout.text()
    layout.doubles(6)
    return layout.pattern((struct.pack("<6d", *values),))


def _seconds(message: Any) -> float:
    stamp = message.header.stamp
    return float(stamp.sec + 1e-9 * stamp.nanosec)
