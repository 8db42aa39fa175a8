"""Writing what a camera saw as a video that plays at the speed it happened."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, Protocol

import imageio_ffmpeg
from PIL import Image

from ams_ros.errors import ConfigurationError
from ams_ros.types import PixelArray

SUFFIXES = (".mp4", ".gif")
RATE = 20
"""Frames per second of a video; pictures are repeated or left out to keep to it."""
LONGEST_GAP = 5.0
"""Seconds a silent camera's last picture is held; longer silence is cut out."""


class Video(Protocol):
    """A video file being written."""

    def add(self, stamp: float, pixels: PixelArray) -> None:
        """Show this picture from `stamp` (s, of the camera's clock) on; (height, width, 3) uint8 RGB."""
        ...

    def close(self) -> None:
        """Finish the file; without any picture there is none."""
        ...


def open_video(path: Path) -> Video:
    """A video of the kind the suffix names; raises ConfigurationError for another suffix."""
    suffix = path.suffix.lower()
    if suffix == ".mp4":
        return Mp4(path)
    if suffix == ".gif":
        return Gif(path)
    raise ConfigurationError("video", str(path), "a file name ending in " + " or ".join(SUFFIXES))


class _Frames:
    """Turns stamps into frame counts at a fixed rate."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._position = 0.0
        self._stamp: float | None = None
        self._written = 0

    def due(self, stamp: float) -> int:
        """How many frames the picture before this one has to fill; 0 for the first picture and for old stamps."""
        if self._stamp is not None:
            self._position += min(max(stamp - self._stamp, 0.0), LONGEST_GAP)
        self._stamp = stamp if self._stamp is None else max(stamp, self._stamp)
        due = max(round(self._position * self._rate) - self._written, 0)
        self._written += due
        return due


class Mp4:
    """H.264 in the form every browser plays, written as the pictures come."""

    def __init__(self, path: Path) -> None:
        """Write to `path` once the first picture tells the size."""
        self._path = path
        self._frames = _Frames(RATE)
        self._writer: Generator[None, Any, None] | None = None
        self._last: PixelArray | None = None

    def add(self, stamp: float, pixels: PixelArray) -> None:
        """Show this picture from `stamp` on."""
        self._write(self._frames.due(stamp))
        self._last = pixels

    def close(self) -> None:
        """Write the last picture once more and finish the file."""
        self._write(1)
        if self._writer is not None:
            self._writer.close()

    def _write(self, count: int) -> None:
        if self._last is None:
            return
        if self._writer is None:
            height, width = self._last.shape[:2]
            self._writer = imageio_ffmpeg.write_frames(
                str(self._path),
                (width, height),
                fps=RATE,
                codec="libx264",
                macro_block_size=2,
                output_params=["-preset", "veryfast", "-crf", "23", "-movflags", "+faststart", "-threads", "1"],
            )
            self._writer.send(None)
        for _ in range(count):
            self._writer.send(self._last.tobytes())


class Gif:
    """An animation for places that show no video; half the pictures, 128 colours each."""

    def __init__(self, path: Path) -> None:
        """Collect pictures; the file is written at the end."""
        self._path = path
        self._frames = _Frames(RATE / 2)
        self._last: Image.Image | None = None
        self._shown: list[Image.Image] = []
        self._milliseconds: list[int] = []

    def add(self, stamp: float, pixels: PixelArray) -> None:
        """Show this picture from `stamp` on."""
        due = self._frames.due(stamp)
        self._keep(due)
        if due or self._last is None:
            self._last = Image.fromarray(pixels).quantize(128)

    def close(self) -> None:
        """Write the file."""
        self._keep(1)
        if self._shown:
            self._shown[0].save(
                self._path, save_all=True, append_images=self._shown[1:], duration=self._milliseconds, loop=0
            )

    def _keep(self, count: int) -> None:
        if self._last is not None and count:
            self._shown.append(self._last)
            self._milliseconds.append(round(count * 2000 / RATE))
