"""`ams calibrate` and `ams bench failures`: what they write, and what they refuse in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from calibration_runs import noise, shaken, standing
from test_force_failures import made_up, written
from test_mcap_runs import goal, later, recorded

from ams_ros.cli.main import main
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.robot.driver_file import load_driver


@pytest.fixture
def ams(monkeypatch, capsys, tmp_path):
    """Call `ams` in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ams", *arguments])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """Twelve tasks in one recording."""
    runs = [(later(shaken("", noise(n), standing(0 if n % 2 else 1, goal(n + 1))), 0.7 * n), goal(n + 1))
            for n in range(1, 25)]  # fmt: skip
    return recorded(tmp_path_factory.mktemp("bags") / "good.mcap", *runs)


def test_thresholds_learned_from_recordings_are_written_with_their_table(ams, good, tmp_path):
    bad = recorded(tmp_path / "bad.mcap", (shaken("", noise(3, size=200.0)), goal(1)))
    code, out, err = ams(
        *("calibrate", "--bag", str(good), "--failures", str(bad), "--out", "learned.yaml"),
        *("--false-alarms", "0.3", "--held-out", "0.25", "--seed", "1"),
    )
    assert (code, err) == (0, "")
    settings = load_rule_settings(load_driver("simulated_widowx"), tmp_path / "learned.yaml")
    assert 1.0 < settings["wrench_jump"].thresholds.force < 20.0
    row = next(line for line in out.splitlines() if "wrench_jump" in line and "of 3" in line)
    assert "0 of 1" in row
    assert "not learned: angular_momentum.share" in out
    assert ams("calibrate", "--bag", str(good), "--out", "learned.yaml")[0] == 2


def test_a_rate_too_small_for_the_runs_is_admitted(ams, good):
    code, out, _ = ams("calibrate", "--bag", str(good), "--out", "learned.yaml", "--held-out", "0")
    assert code == 0
    assert "12 runs are too few for 0.01 false alarms per run" in out
    assert "199 runs would do" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--bag", "nothing.mcap"), "nothing.mcap"),
        ((), "one of --bag FILE, --live and --simulated RUNS"),
        (("--live", "--simulated", "3"), "one of --bag FILE, --live and --simulated RUNS"),
        (("--simulated", "0"), "1 to 100000"),
        (("--simulated", "3", "--driver", "interbotix_wx250s"), "simulated_widowx with --simulated"),
        (("--simulated", "3", "--driver", "nobody"), "interbotix_wx250s, jaka_s5, simulated_jaka, simulated_widowx"),
        (("--simulated", "3", "--false-alarms", "0"), "above 0 and at most 0.5"),
        (("--simulated", "3", "--held-out", "1"), "0 to 0.9"),
        (("--simulated", "3", "--tasks", "2"), "--live with --tasks"),
        (("--live", "--tasks", "0"), "at least 1"),
        (("--live", "--seconds", "nan"), "1 to 86400"),
        (("--live", "--keep", "file.bag"), ".mcap"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(ams, arguments, said):
    code, out, err = ams("calibrate", "--out", "learned.yaml", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert said in err
    assert not Path("learned.yaml").exists()


def test_a_recording_that_is_kept_already_is_not_overwritten(ams, tmp_path):
    (tmp_path / "mine.mcap").write_text("mine")
    code, _, err = ams("calibrate", "--live", "--keep", "mine.mcap", "--out", "learned.yaml")
    assert code == 2
    assert "mine.mcap" in err
    assert (tmp_path / "mine.mcap").read_text() == "mine"


def test_the_table_of_recorded_failures_is_printed_and_written(ams, tmp_path):
    for problem in ("lp1", "lp2"):
        written(tmp_path / f"{problem}.data.txt", made_up(4, 40.0))
    code, out, err = ams("bench", "failures", "--folder", str(tmp_path), "--json", "figures.json")
    assert (code, err) == (0, "")
    assert "4 of 4" in out
    figures = json.loads((tmp_path / "figures.json").read_text())["problems"]
    assert [(each["problem"], each["half"], each["found"], each["failures"]) for each in figures] == [
        (problem, half, 4, 4) for problem in ("lp1", "lp2") for half in (0, 1)
    ]


def test_a_folder_without_the_series_is_refused(ams):
    code, _, err = ams("bench", "failures", "--folder", "nowhere")
    assert code == 2
    assert "lp1.data.txt and lp2.data.txt" in err
