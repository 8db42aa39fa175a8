"""Filming the overview camera while a task runs."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

import numpy as np
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from ams_ros.cli.ros_session import RosSession
from ams_ros.cli.video import Video, open_video
from ams_ros.errors import RobotError
from ams_ros.types import PixelArray

TOPIC = "/camera/overview/image_raw"
FIRST_PICTURE_SECONDS = 15.0
"""The camera renders only while somebody looks, so its first picture takes a moment; on a busy machine, seconds."""


def pixels_of(message: Image) -> PixelArray:
    """Pixels (height, width, 3) uint8 RGB of an rgb8 image; raises RobotError for another encoding."""
    if message.encoding != "rgb8":
        raise RobotError(f"{TOPIC} sends {message.encoding} pictures, only rgb8 can be filmed")
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    return np.ascontiguousarray(rows[:, : message.width * 3]).reshape(message.height, message.width, 3)


class OverviewRecording:
    """While entered, every picture of the overview camera goes into the video; without a file, nothing happens."""

    def __init__(self, session: RosSession, path: Path | None) -> None:
        """Film into `path`."""
        self._session, self._path = session, path
        self._video: Video | None = None
        self.first_picture: float | None = None
        """When the film begins, on the steady clock."""

    def __enter__(self) -> OverviewRecording:
        if self._path is not None:
            self._video = open_video(self._path)
            self._subscription = self._session.node.create_subscription(
                Image, TOPIC, self._received, qos_profile_sensor_data
            )
            if not self._session.until(lambda: self.first_picture is not None, FIRST_PICTURE_SECONDS):
                self._session.node.destroy_subscription(self._subscription)
                raise RobotError(f"no picture on {TOPIC} within {FIRST_PICTURE_SECONDS:g} s: leave out --video")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._video is not None:
            self._session.node.destroy_subscription(self._subscription)
            self._video.close()
            self._video = None

    def _received(self, message: Image) -> None:
        if self._video is None:
            return  # it was on its way when the subscription ended
        if self.first_picture is None:
            self.first_picture = time.monotonic()
        stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        self._video.add(stamp, pixels_of(message))
