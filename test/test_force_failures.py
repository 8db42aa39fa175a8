"""UCI's Robot Execution Failures through calibration and detector (E1), and files that are no such series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ams_ros.benchmark.execution_failures import PERIOD, SAMPLES, judge, read_series
from ams_ros.errors import ConfigurationError

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "robot_execution_failures"

recorded = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recorded series in {FOLDER}")


def written(path: Path, series: list[tuple[str, np.ndarray]]) -> Path:
    """A file of such series."""
    blocks = ["\n".join([kind, *("\t".join(f"{v:.0f}" for v in row) for row in rows)]) for kind, rows in series]
    path.write_text("\n\n\n".join(blocks) + "\n\n\n")
    return path


def made_up(failures: int, size: float) -> list[tuple[str, np.ndarray]]:
    """Normal series about an offset, and failures in which the force lies `size` further off in all samples."""
    rng = np.random.default_rng(7)
    offset = np.array([5.0, -3.0, 60.0, 1.0, 0.0, 2.0])
    normal = [("normal", offset + rng.normal(0.0, 1.0, (SAMPLES, 6))) for _ in range(20)]
    push = np.array([size, 0.0, 0.0, 0.0, 0.0, 0.0])
    return normal + [("hit", offset + push + rng.normal(0.0, 1.0, (SAMPLES, 6))) for _ in range(failures)]


@recorded
@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize(("problem", "failures"), [("lp1", 67), ("lp2", 27)])
def test_every_recorded_failure_is_found_and_no_normal_motion_is_an_alarm(problem, failures, half):
    report = judge(problem, read_series(FOLDER / f"{problem}.data.txt"), half)
    assert (report.failures, report.found, report.false_alarms) == (failures, failures, 0)
    assert report.learned_from in {10, 11}


@pytest.mark.parametrize(("size", "found"), [(40.0, 8), (0.0, 0)])
def test_failures_are_found_by_how_far_they_differ_from_normal_motions(tmp_path, size, found):
    report = judge("made up", read_series(written(tmp_path / "made.txt", made_up(8, size))), 0)
    assert (report.failures, report.found, report.false_alarms) == (8, found, 0)
    assert report.as_dictionary()["found"] == found


def test_a_series_is_315_ms_of_six_numbers():
    assert pytest.approx(0.315) == SAMPLES * PERIOD


@pytest.mark.parametrize(
    "text",
    [
        "normal\n1 2 3 4 5 6\n",
        "normal\n" + "1 2 3 4 5\n" * 15,
        "normal\n" + "1 2 3 4 5 x\n" * 15,
        "normal\n" + "1 2 3 4 5 nan\n" * 15,
        "normal\n" + "1 2 3 4 5 6\n" * 14 + "1 2 3\n",
    ],
)
def test_what_is_no_series_is_refused_with_its_place(tmp_path, text):
    path = tmp_path / "odd.txt"
    path.write_text("normal\n" + "1 2 3 4 5 6\n" * 15 + "\n\n" + text)
    with pytest.raises(ConfigurationError, match=r"odd\.txt, series 2.*15 rows of 6"):
        read_series(path)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("bytes.txt", "nothing.txt"):
        with pytest.raises(ConfigurationError, match=name):
            read_series(tmp_path / name)


def test_without_normal_motions_to_learn_from_it_says_so():
    with pytest.raises(ConfigurationError, match="normal motions of lp1"):
        judge("lp1", [], 0)
