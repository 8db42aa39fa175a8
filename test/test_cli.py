"""The command line without a graph: what every verb refuses, how, and how quickly it answers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ams_ros.cli.main import main
from ams_ros.cli.pool_use import PoolUse
from ams_ros.cli.progress_view import ProgressView
from ams_ros.cli.task_report import TaskReport, TaskSettings, chosen_guidance
from ams_ros.errors import ConfigurationError
from ams_ros.types import (
    ActionException,
    EventKind,
    ExceptionKind,
    Guidance,
    GuidanceVariant,
    Phase,
    Severity,
    StopStage,
    TaskEvent,
    TaskStatus,
)

VERBS = (
    "up",
    "run",
    "acknowledge",
    "inject",
    "demo",
    "train",
    "evaluate",
    "calibrate",
    "rules",
    "doctor",
    "pool",
    "bench",
)
HEAVY = ("torch", "mujoco", "rclpy", "transformers", "numpy", "scipy")
RUN_KEYS = [
    *("task", "instruction", "mode", "seed", "objects", "success", "placed", "steps", "inferences", "exceptions"),
    *("replays", "seconds", "policy_seconds", "outcome", "message", "episode", "guide", "guided_slices"),
    *("jobs", "job_steps", "pool"),
]

REPORT = TaskReport(
    task="cubes",
    instruction="put the cubes in the bowl",
    mode="direct",
    seed=3,
    objects=2,
    success=True,
    placed=2,
    steps=200,
    inferences=25,
    exceptions=0,
    replays=0,
    seconds=11.0,
    policy_seconds=1.5,
    outcome="at_rest",
    message="the policy has come to rest",
)


def ams(*arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ams_ros.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """Call `ams` and return the one line it says on stderr; it must end with the given code and say nothing else."""
    monkeypatch.chdir(tmp_path)

    def call(code: int, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["ams", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == code
        (line,) = said.err.strip().splitlines()
        assert line.startswith("error: ")
        return line

    return call


@pytest.mark.parametrize("arguments", [("--help",), *((verb, "--help") for verb in VERBS)], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    program = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules]))\n"
        f"sys.argv = ['ams', *{list(arguments)!r}]\n"
        "from ams_ros.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout


def test_an_error_is_one_line_on_stderr_without_a_traceback() -> None:
    done = ams("run", "x", "--budget", "0")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: --budget: got 0, allowed: an integer from 1 to 2147483647\n"


def test_help_names_every_verb() -> None:
    said = ams("--help").stdout
    for verb in VERBS:
        assert f"\n  {verb} " in said


def test_an_unknown_verb_or_option_is_a_usage_error() -> None:
    assert ams("dance").returncode == 2
    assert ams("run", "do it", "--colour", "red").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("run", "x", "--objects", "-1"), "--objects: got -1"),
        (("run", "x", "--budget", "0"), "--budget: got 0"),
        (("run", "x", "--seed", "-5"), "--seed: got -5"),
        (("run", "x", "--mode", "magic"), "mode: got 'magic'"),
        (("run", "x", "--guide", "similar"), "--mode: got 'direct'"),
        (("run", "x", "--mode", "reset", "--guide", "similar"), "--mode: got 'reset', allowed: context or "),
        (("run", "x", "--mode", "context", "--jobs", "2"), "--mode: got 'context', allowed: reset or ams"),
        (("run", "x", "--mode", "ams", "--jobs", "-1"), "--jobs: got -1"),
        (("run", "x", "--variant", "latent"), "--variant: got 'latent'"),
        (("run", "x", "--mode", "context", "--guide", "similar", "--start-time", "0"), "start_time: got 0.0"),
        (("run", "x", "--mode", "context", "--guide", "similar", "--variant", "warm"), "--variant: got 'warm'"),
        (("run", "x", "--mode", "context", "--guide", "similar", "--guided-slices", "0"), "--guided-slices: got 0"),
        (("run", "x", "--mode", "exception", "--guide", "similar", "--start-time", "0"), "start_time: got 0.0"),
        (("acknowledge", "--", "-1"), "NUMBER: got -1"),
        (("acknowledge", "--person", " "), "--person: got ' '"),
        (("acknowledge", "--namespace", "/a-b"), "--namespace: got '/a-b'"),
        (("inject", "earthquake"), "FAULT: got 'earthquake', allowed: push, "),
        (("inject", "push", "--magnitude", "-1"), "push.magnitude: got -1.0, allowed: 0.1 to 500 N"),
        (("inject", "push", "--target", "table"), "push.target: got 'table', allowed: hand, forearm"),
        (("inject", "stuck_joint", "--target", "knee"), "stuck_joint.target: got 'knee', allowed: waist, "),
        (("inject", "push", "--onset", "nan"), "push.onset: got nan"),
        (("inject", "push", "--duration", "-1"), "push.duration: got -1.0"),
        (("run", "  "), "INSTRUCTION: got '  '"),
        (("run", "x", "--namespace", "/a-b"), "--namespace: got '/a-b'"),
        (("run", "x", "--policy", "mine"), "--start: got False"),
        (("run", "x", "--start", "--set", "speed"), "--set: got 'speed'"),
        (("bench", "slice", "--slices", "0"), "slices: got 0"),
        (("bench", "slice", "--threads", "0"), "threads: got 0"),
        (("bench", "graph", "--seconds", "0"), "--seconds: got 0"),
        (("bench", "pool", "--contexts", "10"), "--contexts: got 10"),
        (("bench", "pool", "--largest", "0"), "--largest: got 0"),
        (("bench", "pool", "--seed", "-1"), "--seed: got -1"),
        (("bench", "reaction", "--samples", "0"), "--samples: got 0"),
        (("bench", "reaction", "--loaded", "-1"), "--loaded: got -1"),
        (("bench", "reaction", "--rate", "5000"), "--rate: got 5000.0"),
        (("bench", "pool", "--plot", "growth.doc"), "--plot: got 'growth.doc'"),
        (("run", "x", "--video", "film.avi"), "--video: got 'film.avi'"),
        (("run", "x", "--json", "/proc/none/report.json"), "--json: got '/proc/none/report.json'"),
        (("up", "--speed", "-1"), "--speed: got -1.0"),
        (("up", "--speed", "4"), "--use-sim-time"),
        (("up", "--log-level", "loud"), "--log-level: got 'loud'"),
        (("up", "--set", "speed=1"), "--set: got 'speed=1'"),
        (("up", "--set", "inference.policy"), "--set: got 'inference.policy'"),
        (("up", "--set", "nobody.speed=1"), "--set: got 'nobody.speed=1'"),
        (("demo", "--out", "/proc/none"), "--out: got"),
        (("train", "dishes"), "dishes"),
        (("train", "cubes", "--iterations", "0"), "--iterations: got 0"),
        (("train", "cubes", "--minutes", "-2"), "--minutes: got -2"),
        (("train", "cubes", "--seed", "-2"), "--seed: got -2"),
        (("evaluate", "dishes"), "dishes"),
        (("evaluate", "--objects", "-1"), "objects: got -1"),
        (("evaluate", "--episodes", "0"), "episodes: got 0"),
        (("evaluate", "--cap", "0"), "cap: got 0"),
        (("evaluate", "--mode", "magic"), "mode: got 'magic'"),
        (("evaluate", "--seed", "-1"), "seed: got -1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_refused_with_its_name_value_and_what_is_allowed(
    arguments: tuple[str, ...], named: str, refused: Callable[..., str]
) -> None:
    line = refused(2, *arguments)
    assert named in line
    assert "allowed:" in line


def test_an_exception_is_shown_as_it_happens_and_again_when_it_is_known_what_became_of_it() -> None:
    console = Console(file=io.StringIO(), width=300)
    view = ProgressView(console, 100)
    met = ActionException(7, 1.0, ExceptionKind.COLLISION, Severity.SERIOUS, "wrench_jump", "the gripper hit something")
    met = replace(met, slice=2, stage=StopStage.CANCEL, stopped=True)
    view.moved_on(TaskStatus(Phase.EXECUTING, 16, 3))
    view.excepted(met)
    view.moved_on(TaskStatus(Phase.RECOVERING, 18, 3))
    view.excepted(replace(met, number=8))
    view.moved_on(TaskStatus(Phase.INFERRING, 18, 3))
    view.excepted(replace(met, number=9))
    view.excepted(replace(met, number=10, acted=False, stopped=False))
    view.moved_on(TaskStatus(Phase.ENDED, 20, 4))
    lines = [line for line in console.file.getvalue().splitlines() if "exception" in line]
    first = "exception 7, collision (wrench_jump): the gripper hit something; the arm was stopped and holds still"
    assert lines[0] == f"{first} [slice 3, stopped by cancel]"
    assert "recovered" in next(line for line in lines if line.startswith("exception 7, 8: "))
    assert "only watches" in lines[4]
    assert lines[5] == "exception 9: the task did not get over it"
    assert len(lines) == 6


def test_a_task_that_replays_shows_its_jobs_and_why_each_attempt_came_to_its_end() -> None:
    console = Console(file=io.StringIO(), width=300)
    view = ProgressView(console, 500, jobs=3)
    view.happened(TaskEvent(EventKind.SLICE, 1.0, 8, 0, 1, "not worth a line"))
    view.happened(TaskEvent(EventKind.JOB, 9.0, 210, 0, 26, "let go of it over the bowl"))
    view.happened(TaskEvent(EventKind.REPLAY, 9.1, 210, 0, 26, "a job is done"))
    view.happened(TaskEvent(EventKind.RETURNED, 12.0, 260, 0, 26, "at the start pose"))
    view.happened(TaskEvent(EventKind.REPLAY, 20.0, 420, 1, 19, "nothing has moved any more"))
    view.moved_on(TaskStatus(Phase.REPLAYING, 210, 27, replays=0, jobs=1))
    lines = console.file.getvalue().splitlines()
    assert lines[:2] == [
        "attempt 1, step 210: let go of it over the bowl",
        "attempt 2, step 420: nothing has moved any more",
    ]
    assert lines[2].endswith("replaying, 1 of 3 jobs seen done")
    assert len(lines) == 3


def test_an_exception_on_the_way_back_is_told_as_got_over_when_the_way_goes_on() -> None:
    console = Console(file=io.StringIO(), width=300)
    view = ProgressView(console, 500)
    view.moved_on(TaskStatus(Phase.REPLAYING, 210, 27))
    view.excepted(
        ActionException(7, 1.0, ExceptionKind.COLLISION, Severity.SERIOUS, "wrench_jump", "it hit", stopped=True)
    )
    view.moved_on(TaskStatus(Phase.RECOVERING, 210, 27, exceptions=1))
    view.moved_on(TaskStatus(Phase.REPLAYING, 210, 27, exceptions=1))
    assert "exception 7: recovered, the way back to the start pose goes on" in console.file.getvalue()


def test_the_sentence_of_a_run_that_replays_holds_what_the_robot_saw_against_the_truth() -> None:
    told = replace(REPORT, mode="ams", jobs=3, job_steps=(90, 190), replays=2, outcome="exhausted").sentence()
    assert told.startswith("Success: 2 of 2 placed, 2 of 3 jobs seen done, ")
    assert ", 2 replays. Ended as exhausted: " in told
    assert "1 job seen done" in replace(REPORT, mode="reset", job_steps=(90,)).sentence()
    assert "job" not in REPORT.sentence()


def test_the_sentence_of_a_run_counts_its_exceptions() -> None:
    assert "exception" not in REPORT.sentence()
    assert ", 1 exception. " in replace(REPORT, exceptions=1).sentence()
    assert ", 2 exceptions. " in replace(REPORT, exceptions=2).sentence()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "absent"), [(("acknowledge",), "exception_monitor/acknowledge"), (("inject", "push"), "inject_fault")]
)
def test_verbs_that_need_a_running_graph_say_who_is_not_there(
    arguments: tuple[str, ...], absent: str, domain: int
) -> None:
    done = ams(*arguments)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert absent in line
    assert "ams up" in line


@pytest.mark.integration
def test_run_without_a_graph_says_how_to_start_one(domain: int) -> None:
    done = ams("run", "put the cubes in the bowl")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "no graph runs under /ams" in line
    assert "ams up" in line
    assert "--start" in line


def test_the_json_of_a_run_has_exactly_the_agreed_keys() -> None:
    assert list(json.loads(REPORT.to_json())) == RUN_KEYS


def test_a_run_without_simulator_claims_neither_success_nor_failure() -> None:
    unknown = replace(REPORT, success=None, placed=None)
    assert json.loads(unknown.to_json())["success"] is None
    assert "nobody here can tell" in unknown.sentence()
    assert unknown.exit_code == 1


@pytest.mark.parametrize(
    ("success", "outcome", "code"),
    [
        (True, "at_rest", 0),
        (True, "budget_spent", 0),
        (True, "finished", 0),
        (True, "exhausted", 0),
        (False, "finished", 1),
        (False, "at_rest", 1),
        (False, "budget_spent", 1),
        (True, "canceled", 1),
        (True, "failed", 1),
    ],
)
def test_exit_code_zero_means_that_the_task_ended_properly_and_succeeded(
    success: bool, outcome: str, code: int
) -> None:
    assert replace(REPORT, success=success, outcome=outcome).exit_code == code


def test_settings_refuse_a_number_that_no_message_can_carry() -> None:
    with pytest.raises(ConfigurationError, match="--objects"):
        TaskSettings("cubes", "x", 2**31, 0, "direct", 10)


def test_guidance_is_of_the_first_slice_and_half_way_unless_told_otherwise() -> None:
    assert chosen_guidance(None, None, None, None) == (None, 0)
    assert chosen_guidance("similar", None, None, None) == (Guidance("similar", 0.5, GuidanceVariant.LATENT), 1)
    assert chosen_guidance("task-1", 0.8, "renoised", 3) == (Guidance("task-1", 0.8, GuidanceVariant.RENOISED), 3)


def test_a_run_with_the_pool_tells_what_it_did_and_how_to_mark_its_episode() -> None:
    assert REPORT.pool_lines(runs_on=True) == ()
    used = PoolUse(hits=3, misses=1, puts=25, refused=2, evictions=0, new_bytes=1_500_000, contexts=40)
    with_pool = replace(REPORT, mode="context", episode="task-1", pool=used)
    assert with_pool.pool_lines(runs_on=True) == (
        "Pool: 3 of 4 vectors found, 25 contexts stored (1.5 MB new, 2 refused), 40 in all.",
        "Episode: task-1 (say how it went: ams pool mark task-1 succeeded)",
    )
    assert "--store" in with_pool.pool_lines(runs_on=False)[1]
    assert "mark" not in replace(with_pool, mode="ams").pool_lines(runs_on=True)[1], "the supervisor marks them itself"
    assert len(replace(with_pool, inferences=0).pool_lines(runs_on=True)) == 1, "nothing was kept to be marked"
    assert "without one" in replace(with_pool, pool=None).pool_lines(runs_on=True)[0]


@pytest.mark.integration
def test_the_doctor_names_a_mend_for_everything_bad_and_ends_accordingly(
    domain: int,
) -> None:
    done = ams("doctor", "--json", timeout=200.0)
    findings = json.loads(done.stdout)
    assert {"Python", "mujoco", "disk", "shared memory", "rendering with egl", "policy cubes"} <= {
        finding["subject"] for finding in findings
    }
    faults = [finding for finding in findings if finding["health"] == "bad"]
    assert all(finding["mend"] for finding in faults)
    assert done.returncode == (1 if faults else 0)


def test_the_doctor_finds_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ams_ros.cli import doctor_machine  # noqa: PLC0415 - beside what is replaced in it
    from ams_ros.cli.finding import Health  # noqa: PLC0415

    monkeypatch.setattr(doctor_machine, "PACKAGES", ("numpy", "no-such-package-anywhere"))
    by_subject = {finding.subject: finding for finding in doctor_machine.installed()}
    assert by_subject["numpy"].health is Health.GOOD
    assert by_subject["no-such-package-anywhere"].health is Health.BAD
    (_, shared) = doctor_machine.space(tmp_path, tmp_path / "absent")
    assert shared.health is Health.BAD
    assert "tmpfs" in shared.mend
    monkeypatch.setattr(doctor_machine, "RENDER", "raise SystemExit('no display')")
    assert [(f.health, f.seen) for f in doctor_machine.rendering()] == [(Health.BAD, "no display")] * 2


def test_a_benchmark_of_slices_writes_every_stage_and_the_whole(random_checkpoint: Path, tmp_path: Path) -> None:
    figures = tmp_path / "slice.json"
    done = ams("bench", "slice", "--policy", str(random_checkpoint), "--slices", "3", "--json", str(figures))
    assert done.returncode == 0, done.stderr
    stages = {stage["stage"]: stage for stage in json.loads(figures.read_text())["stages"]}
    assert set(stages) == {"encode", "prefix", "denoise", "decode", "slice"}
    assert stages["slice"]["median"] > stages["denoise"]["median"] > 0.0
