"""One film of several runs, side by side, with captions; its time is that of the tasks."""

from __future__ import annotations

import textwrap
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ams_ros.cli.demo_record import Moment
from ams_ros.cli.video import RATE, open_video
from ams_ros.types import PixelArray

CAPTION = 92
"""Height of a caption, px."""
HOLD = 2.0
"""Seconds the last pictures stay."""

_MARGIN, _GAP, _COLUMNS = 10, 4, 62
_GROUND, _TITLE, _TEXT, _QUIET = (24, 30, 40), (255, 255, 255), (205, 212, 224), (150, 160, 176)


@dataclass(frozen=True, slots=True)
class Panel:
    """One run in the film.

    film: of that run alone. begin: its second at which the task began. moments: what the caption says, in order.
    objects: how many there are in all. attempts: whether the run counts attempts.
    """

    film: Path
    begin: float
    title: str
    moments: tuple[Moment, ...]
    objects: int
    attempts: bool = False

    def lines(self, moment: Moment) -> tuple[str, ...]:
        """The caption: where the run is, and what happened last in at most two lines."""
        parts = [f"step {moment.step}"]
        if self.attempts:
            parts.append(f"attempt {moment.attempt + 1}")
        if moment.placed is not None:
            parts.append(f"{moment.placed} of {self.objects} in the bowl")
        last = textwrap.wrap(moment.last, _COLUMNS, max_lines=2, placeholder=" ...")
        return (" · ".join(parts), *last)


def side_by_side(path: Path, panels: Sequence[Panel]) -> None:
    """Write the panels from left to right into one mp4; where one ends earlier, its last picture stays."""
    readers = [_Reader(panel) for panel in panels]
    film, frame, left = open_video(path), 0, round(HOLD * RATE)
    try:
        while left:
            pictures = [reader.next(frame / RATE) for reader in readers]
            if all(reader.over for reader in readers):
                left -= 1
            film.add(frame / RATE, _joined(pictures))
            frame += 1
    finally:
        film.close()
        for reader in readers:
            reader.close()


class _Reader:
    """The pictures of one panel with their captions."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._frames = _frames(panel.film)
        self._picture = next(self._frames)
        self.over = False
        for _ in range(round(panel.begin * RATE)):
            self._step()
        self._at = 0
        self._caption: tuple[Moment, PixelArray] | None = None

    def next(self, seconds: float) -> PixelArray:
        """The picture at `seconds` of the task, and the one after it next time."""
        moments = self._panel.moments
        while self._at + 1 < len(moments) and moments[self._at + 1].seconds <= seconds:
            self._at += 1
        # Where the film is over, so is the run.
        moment = moments[-1] if self.over else moments[self._at]
        if self._caption is None or self._caption[0] != moment:
            self._caption = moment, _caption(self._panel, moment, self._picture.shape[1])
        picture = np.concatenate([self._caption[1], self._picture])
        self._step()
        return picture

    def _step(self) -> None:
        if not self.over:
            following = next(self._frames, None)
            self.over = following is None
            self._picture = self._picture if following is None else following

    def close(self) -> None:
        self._frames.close()


def _frames(path: Path) -> Generator[PixelArray, None, None]:
    """The pictures of a film, (height, width, 3) uint8 RGB."""
    with closing(imageio_ffmpeg.read_frames(str(path))) as frames:
        width, height = next(frames)["size"]
        for frame in frames:
            yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)


def _joined(pictures: Sequence[PixelArray]) -> PixelArray:
    gap = np.full((pictures[0].shape[0], _GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(parts[1:], axis=1)


def _caption(panel: Panel, moment: Moment, width: int) -> PixelArray:
    picture = Image.new("RGB", (width, CAPTION), _GROUND)
    draw = ImageDraw.Draw(picture)
    state, *last = panel.lines(moment)
    draw.text((_MARGIN, 6), panel.title, _TITLE, ImageFont.load_default(18))
    draw.text((_MARGIN, 31), state, _TEXT, ImageFont.load_default(15))
    for row, line in enumerate(last):
        draw.text((_MARGIN, 53 + 17 * row), line, _QUIET, ImageFont.load_default(13))
    return np.asarray(picture)
