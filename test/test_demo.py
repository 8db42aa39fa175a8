"""`ams demo` ends with the truth about the run with AMS, whatever direct inference did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from demo_runs import demo_record_of
from typer.testing import CliRunner

from ams_ros.cli import demonstration
from ams_ros.cli.demonstration import Shown
from ams_ros.cli.main import app


@pytest.fixture
def ended_with(monkeypatch, tmp_path: Path):
    """What `ams demo` says and returns when its runs went like that."""

    def run(record):
        files = (tmp_path / name for name in ("demo.mp4", "demo.html", "demo.json", "latest"))
        monkeypatch.setattr(demonstration.Demonstration, "run", lambda *_: Shown(record, *files))
        return CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])

    return run


def test_a_cleared_table_is_exit_code_0_though_direct_inference_failed(ended_with, monkeypatch) -> None:
    result = ended_with(demo_record_of(monkeypatch))
    assert result.exit_code == 0
    assert "Direct: 1 of 3 cubes in the bowl" in result.output
    assert "AMS: 3 of 3 cubes in the bowl" in result.output


def test_a_table_that_ams_did_not_clear_is_told_and_exit_code_1(ended_with, monkeypatch) -> None:
    result = ended_with(demo_record_of(monkeypatch, placed=2))
    assert result.exit_code == 1
    assert "AMS did NOT clear the table" in result.output


def test_a_success_of_direct_inference_helps_a_failed_run_with_ams_nothing(ended_with, monkeypatch) -> None:
    record = demo_record_of(monkeypatch, placed=2)
    lucky = replace(record.direct, report=replace(record.direct.report, success=True, placed=3))
    assert ended_with(replace(record, direct=lucky)).exit_code == 1


def test_a_run_with_ams_that_failed_is_no_success_even_with_every_cube_in_the_bowl(ended_with, monkeypatch) -> None:
    record = demo_record_of(monkeypatch)
    broken = replace(record.ams, report=replace(record.ams.report, outcome="failed"))
    assert ended_with(replace(record, ams=broken)).exit_code == 1
