"""`ams bench paper`: cells are run once, kept with what they depend on, and every figure is made of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from ams_ros.benchmark.paper.catalogue import FIGURES
from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.cell_runner import CellRunner, read_checkpoints
from ams_ros.benchmark.paper.cell_store import CellStore
from ams_ros.benchmark.paper.code_digest import code_digest
from ams_ros.benchmark.paper.drawing import draw
from ams_ros.benchmark.paper.figures.executions import executions
from ams_ros.benchmark.paper.markdown import page, table
from ams_ros.benchmark.paper.plan import make_plan
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.benchmark.report import Episode, EvaluationReport, Signals, Times
from ams_ros.cli.main import app
from ams_ros.errors import ConfigurationError

WORDS = {"cubes": "cubes", "cups": "cubes", "mixed": "cubes", "jaka": "cubes", "seed1": "cubes", "seed2": "cubes"}
OF_EPISODES = [figure for figure in FIGURES if figure.name not in {"storage", "filmstrip"}]


def request(folder, quick=False, policies=WORDS):
    return PaperRequest(folder, policies, tuple(figure.name for figure in FIGURES), 2, 1, quick)


def episode(seed, *job_steps, objects=2, wall=3.0):
    success = len(job_steps) >= objects
    return Episode(
        seed,
        success,
        min(len(job_steps), objects),
        300,
        job_steps[objects - 1] if success else None,
        30,
        "exhausted",
        "",
        len(job_steps),
        job_steps,
        tuple(step + 3 for step in job_steps),
        replays=2,
        attempts=3,
        signals=Signals(2, 1, 3, 2),
        times=Times(16.0, tuple(0.06 * step for step in job_steps), {"encode": 0.1, "denoise": 0.3}, wall),
    )


def report(cell, *episodes):
    return EvaluationReport(cell.task, cell.mode, cell.objects, cell.seed, cell.cap, episodes)


@pytest.mark.parametrize("quick", [False, True])
def test_every_cell_of_every_figure_can_be_run_and_has_a_file_of_its_own(tmp_path, quick):
    cells = {cell for figure in FIGURES for cell in figure.cells(request(tmp_path, quick))}
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        assert cell.request("cubes", 50).cap == 1500
    assert len(cells) < 20 if quick else len(cells) > 80


@pytest.mark.parametrize("figure", OF_EPISODES, ids=lambda figure: figure.name)
def test_every_figure_is_told_drawn_and_kept(figure, tmp_path):
    asked = request(tmp_path)
    reports = {cell: report(cell, episode(1, 90, 200), episode(2, 100)) for cell in figure.cells(asked)}
    finding = figure.make(asked, reports)
    assert finding.rows
    assert all(len(row) == len(finding.columns) for row in finding.rows)
    json.dumps(finding.figures)
    if finding.charts:
        draw(finding.charts, tmp_path / "chart.png")
        assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    assert finding.title in page([finding], asked)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_a_figure_without_its_policy_is_left_out(figure, tmp_path):
    asked = request(tmp_path, policies={})
    assert figure.cells(asked) == ()
    assert figure.make(asked, {}) is None


def test_an_execution_lasts_from_one_job_seen_done_to_the_next_and_surplus_jobs_count_for_none():
    cell = Cell("cubes", "ams", 2, "cubes")
    parts = executions(report(cell, episode(1, 90, 190, 400), episode(2, 110)))
    assert parts["first_steps"]["mean"] == pytest.approx(100.0)
    assert (parts["second_steps"]["mean"], parts["later_steps"]["count"]) == (100.0, 1)


def test_a_cell_that_is_there_is_not_run_again_and_one_run_otherwise_is_with_a_notice(tmp_path):
    notices: list[str] = []
    store, cell = CellStore(tmp_path, notices.append), Cell("cubes", "ams", 2, "cubes")
    assert store.read(cell, "hash") == {}
    store.write(cell, "hash", {5: episode(5, 90)})
    assert store.read(cell, "hash") == {5: episode(5, 90)}
    assert not notices
    assert store.read(cell, "another") == {}
    assert store.read(replace(cell, cap=100), "hash") == {}
    assert ["policy" in notices[0], "cap" in notices[1]] == [True, True]


def test_a_cell_run_by_other_code_is_kept_and_told(tmp_path):
    store, cell = CellStore(tmp_path, pytest.fail), Cell("cubes", "ams", 2, "cubes")
    store.write(cell, "hash", {5: episode(5, 90)})
    assert store.read(cell, "hash")
    assert store.by_other_code == set()
    file = next((tmp_path / "cells").iterdir())
    file.write_text(file.read_text().replace(code_digest(), "0" * 64))
    assert store.read(cell, "hash")
    assert store.by_other_code == {cell.name}


def test_a_cells_file_that_is_damaged_is_named_not_overwritten(tmp_path):
    store, cell = CellStore(tmp_path, pytest.fail), Cell("cubes", "ams", 2, "cubes")
    store.write(cell, "hash", {})
    file = next((tmp_path / "cells").iterdir())
    file.write_text(file.read_text()[:40])
    with pytest.raises(ConfigurationError, match=cell.name):
        store.read(cell, "hash")


def test_a_plan_counts_what_is_missing_by_the_time_that_the_like_took():
    cells = (Cell("cubes", "ams", 2, "cubes"), Cell("cubes", "ams", 2, "cubes", faults="slick"))
    there = {cells[0]: {cells[0].seed: episode(cells[0].seed, 90, wall=8.0)}, cells[1]: {}}
    plan = make_plan(cells, 5, 2, there.__getitem__)
    assert [each.missing for each in plan.cells] == [4, 5]
    assert plan.seconds == pytest.approx(9 * 8.0 / 2)
    assert all(each.measured for each in plan.cells)


def test_a_table_keeps_its_columns_whatever_was_told():
    assert table(("a", "b"), [("1|2", "3\n4")])[2] == "| 1/2 | 3 4 |"


def test_a_broken_off_cell_goes_on_where_it_was_and_a_whole_one_is_not_run(tmp_path):
    checkpoints, done = read_checkpoints({"cubes": "cubes"}), []
    store, cell = CellStore(tmp_path, pytest.fail), Cell("cubes", "direct", 1, "cubes", cap=8)
    kept = episode(cell.seed, 5)
    store.write(cell, checkpoints.hashes["cubes"], {cell.seed: kept})
    runner = CellRunner(tmp_path, checkpoints, store, 1)
    for _ in range(2):
        reports = runner.run((cell,), 2, lambda cell, each: done.append(each.seed))
        assert reports[cell].per_episode[0] == kept
        assert reports[cell].per_episode[1].steps == 8
    assert done == [cell.seed + 1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--only", "figure99"), "only"),
        (("--policy", "cubes"), "policy"),
        (("--policy", "spoons=cubes"), "policy"),
        (("--episodes", "0"), "episodes"),
        (("--workers", "0"), "workers"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(arguments, named, tmp_path):
    result = CliRunner().invoke(app, ["bench", "paper", "--json", str(tmp_path), *arguments])
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.key == named


def test_a_plan_is_shown_and_nothing_is_run(tmp_path):
    result = CliRunner().invoke(app, ["bench", "paper", "--json", str(tmp_path), "--quick", "--plan"])
    assert result.exception is None, result.output
    assert "cubes-widowx_250s-cubes-ams-n2" in result.output
    assert not any((tmp_path / "cells").iterdir())
