"""The film of a demonstration: both runs on the time of their tasks, and captions that say what was so then."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from demo_runs import demo_record_of

from ams_ros.cli.demo_film import CAPTION, HOLD, Panel, side_by_side
from ams_ros.cli.demo_record import Moment
from ams_ros.cli.video import RATE, open_video
from ams_ros.types import PixelArray

HEIGHT, WIDTH = 48, 160
MOMENTS = (Moment(0.0), Moment(1.0, step=8, placed=1, last="job seen done"))


def film(path: Path, levels: list[int]) -> Path:
    """One picture for each level, RATE of them a second."""
    video = open_video(path)
    for index, level in enumerate(levels):
        video.add(index / RATE, np.full((HEIGHT, WIDTH, 3), level, np.uint8))
    video.close()
    return path


def frames_of(path: Path) -> PixelArray:
    return np.stack(list(imageio.imiter(path, plugin="FFMPEG")))


@pytest.fixture
def shown(tmp_path: Path) -> PixelArray:
    """Left: black, and grey from its task's begin at 0.5 s on, 1 s in all. Right: white for 2 s."""
    left = Panel(film(tmp_path / "left.mp4", [0] * 10 + [128] * 10), 0.5, "left", MOMENTS[:1], 3)
    right = Panel(film(tmp_path / "right.mp4", [250] * 40), 0.0, "right", MOMENTS, 3, attempts=True)
    side_by_side(tmp_path / "both.mp4", (left, right))
    return frames_of(tmp_path / "both.mp4")


def test_both_runs_are_seen_beside_each_other_from_the_begin_of_their_tasks(shown) -> None:
    picture = shown[2, CAPTION + 4 : CAPTION + HEIGHT - 4]
    assert abs(picture[:, 10 : WIDTH - 10].mean() - 128) < 12
    assert picture[:, WIDTH + 14 : 2 * WIDTH - 6].mean() > 235


def test_the_film_lasts_as_long_as_the_longer_run_and_the_last_picture_of_the_other_stays(shown) -> None:
    assert len(shown) == pytest.approx((2.0 + HOLD) * RATE, abs=2)
    last = shown[-1, CAPTION + 4 : CAPTION + HEIGHT - 4, 10 : WIDTH - 10]
    assert abs(last.mean() - 128) < 12


def test_the_caption_changes_when_its_moment_has_come(shown) -> None:
    captions = shown[:, :CAPTION, WIDTH + 8 :].astype(int)
    before, after = captions[RATE - 3], captions[RATE + 3]
    assert np.abs(before - captions[2]).mean() < 2.0
    assert np.abs(after - before).mean() > 2.0


def test_the_caption_says_step_attempt_cubes_and_what_happened_last() -> None:
    panel = Panel(Path(), 0.0, "with AMS", (), 3, attempts=True)
    said = panel.lines(Moment(2.0, step=24, attempt=1, placed=2, last="recovered"))
    assert said == ("step 24 · attempt 2 · 2 of 3 in the bowl", "recovered")


def test_a_caption_claims_no_cubes_before_the_simulator_was_asked_and_stays_short() -> None:
    panel = Panel(Path(), 0.0, "direct", (), 3)
    state, *last = panel.lines(Moment(0.0, last="word " * 100))
    assert state == "step 0"
    assert len(last) == 2
    assert last[1].endswith("...")


def test_the_moments_of_a_run_follow_its_events_and_end_with_the_simulators_score(monkeypatch) -> None:
    run = demo_record_of(monkeypatch).ams
    seconds = [moment.seconds for moment in run.moments]
    assert seconds == sorted(seconds)
    assert (run.moments[0].step, run.moments[-1].step, run.moments[-1].placed) == (0, run.report.steps, 3)
    said = [moment.last for moment in run.moments]
    for words in ("from noise", "injected: push on the hand, 40 N for 0.4 s", "recovered: ", "guided by attempt 1"):
        assert any(line.startswith(words) for line in said), words
    assert said[-1] == "ended: 3 jobs were seen done"
