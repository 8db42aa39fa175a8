"""A film plays at the speed it happened, whatever the rate of the camera."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image

from ams_ros.cli.video import LONGEST_GAP, RATE, open_video
from ams_ros.errors import ConfigurationError
from ams_ros.types import PixelArray


def plain(level: int) -> PixelArray:
    return np.full((48, 64, 3), level, np.uint8)


def frames_of(path: Path) -> PixelArray:
    return np.stack(list(imageio.imiter(path, plugin="FFMPEG")))


def film(path: Path, stamps: list[float]) -> None:
    video = open_video(path)
    for index, stamp in enumerate(stamps):
        video.add(stamp, plain(20 + 200 * index // len(stamps)))
    video.close()


@pytest.mark.parametrize("rate", [5.0, 10.0, 20.0, 50.0])
def test_an_mp4_lasts_as_long_as_its_stamps_say(tmp_path: Path, rate: float) -> None:
    film(tmp_path / "film.mp4", [7.0 + index / rate for index in range(int(2 * rate) + 1)])
    assert len(frames_of(tmp_path / "film.mp4")) == pytest.approx(2.0 * RATE + 1, abs=1)


def test_a_picture_is_shown_until_the_next_one_came(tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", [0.0, 0.5, 2.0])
    shown = frames_of(tmp_path / "film.mp4").mean(axis=(1, 2, 3))
    assert (shown[: RATE // 2] < 50).all()
    assert (np.abs(shown[RATE // 2 : 2 * RATE] - 86) < 30).all()
    assert shown[-1] > 120


def test_a_long_silence_is_cut_and_a_stamp_from_the_past_stretches_nothing(tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", [0.0, 3600.0, 10.0, 3600.1])
    expected = (LONGEST_GAP + 0.1) * RATE + 1
    assert len(frames_of(tmp_path / "film.mp4")) == pytest.approx(expected, abs=1)


def test_a_gif_lasts_as_long_as_its_stamps_say(tmp_path: Path) -> None:
    film(tmp_path / "film.gif", [index / 10.0 for index in range(21)])
    with Image.open(tmp_path / "film.gif") as gif:
        milliseconds = 0
        for index in range(gif.n_frames):
            gif.seek(index)
            milliseconds += gif.info["duration"]
    assert milliseconds == pytest.approx(2000, abs=150)


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_without_a_picture_there_is_no_file(tmp_path: Path, name: str) -> None:
    film(tmp_path / name, [])
    assert not (tmp_path / name).exists()


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\.mp4 or \.gif"):
        open_video(tmp_path / "film.avi")
