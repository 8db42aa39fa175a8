"""`ams bench faults`: how faults are injected and scored, and one real run of each part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ams_ros.benchmark.faults.cases import CASES
from ams_ros.benchmark.faults.effect import effect_since
from ams_ros.benchmark.faults.figures import CleanFigures, FaultFigures, share, spread
from ams_ros.benchmark.faults.trial import Alarm, CleanTrial, FaultTrial, SeenStop, TaskEnd
from ams_ros.benchmark.faults.witness import Moment, stops
from ams_ros.cli.main import app
from ams_ros.errors import ConfigurationError
from ams_ros.exception.guard import GuardState
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.faults.fault import FAULTS, Fault, checked
from ams_ros.types import ActionException, ExceptionKind, Severity, StopStage

PROFILE = load_profile("widowx_250s")
WATCHING, STOPPING, STOPPED = GuardState.WATCHING, GuardState.STOPPING, GuardState.STOPPED


def moment(time: float, speed: float = 0.0, state: GuardState = WATCHING, told: int = 0, **more: object) -> Moment:
    values = {"lag": np.zeros(6), "effort": np.zeros(6), "contact": 0.0, "gap": 0.03, **more}
    return Moment(time=time, velocity=np.full(6, speed), state=state, told=told, **values)


def seen(kind: ExceptionKind, begun: float, rested: float | None, stopped: bool = True) -> SeenStop:
    exception = ActionException(
        1, begun, kind, Severity.SERIOUS, "rule", "text", stage=StopStage.CANCEL, stopped=stopped
    )
    return SeenStop(exception, begun, begun + 0.2, rested)


def ended(success: bool, outcome: str = "at_rest", seconds: float = 8.0) -> TaskEnd:
    return TaskEnd(success, outcome, "", 160, seconds)


def trial(caught: SeenStop | None, guarded: TaskEnd, effect: float | None = 1.0, held: bool = False) -> FaultTrial:
    return FaultTrial(Fault("push"), 7, True, effect, 0, caught, 1, guarded, ended(False), held)


def test_every_fault_there_is_has_a_case_that_can_be_injected_and_is_drawn_from_the_seed():
    assert set(CASES) == set(FAULTS)
    for case in CASES.values():
        for seed in range(720_000, 720_012):
            faults = case.faults(seed, PROFILE)
            assert faults == case.faults(seed, PROFILE)
            assert case.shows in {checked(fault, PROFILE).name for fault in faults}
            assert all(0.5 <= fault.onset <= case.latest for fault in faults)
        assert len({case.faults(seed, PROFILE)[0].onset for seed in range(10)}) > 5


def test_a_stop_is_timed_by_the_true_speed_up_to_its_being_told():
    moments = [
        moment(0.00, 1.0),
        moment(0.01, 1.0),
        moment(0.02, 0.5, STOPPING),
        moment(0.03, 0.01, STOPPING),
        moment(0.04, 0.3, STOPPING),
        moment(0.05, 0.01, STOPPING),
        moment(0.06, 0.00, STOPPING),
        moment(0.07, 0.00, STOPPED, told=1),
        moment(0.08, 0.9, STOPPED, told=1),
    ]
    (stop,) = stops(moments, velocity=0.02)
    assert (stop.begun, stop.rested, stop.told) == (0.01, 0.05, 0.06)


def test_an_arm_that_moves_when_its_stop_is_told_did_not_rest():
    moments = [moment(0.0, 1.0), moment(0.1, 1.0, STOPPING), moment(0.2, 1.0, STOPPED, told=1)]
    assert [stop.rested for stop in stops(moments, velocity=0.02)] == [None]


def test_a_jammed_joint_has_an_effect_once_it_should_move_and_slippery_cubes_once_nothing_is_held():
    held = np.array([0.0, 0.1, 0.0, 0.0, 0.0, 0.0])
    moments = [moment(1.0), moment(1.1, speed=0.5, lag=held), moment(1.2, lag=held), moment(1.3, gap=0.0)]
    jammed = Fault("stuck_joint", duration=1.0, target="shoulder")
    assert effect_since(jammed, 1.0, moments, PROFILE) == 1.2
    assert effect_since(Fault("stuck_joint", duration=1.0, target="waist"), 1.0, moments, PROFILE) is None
    assert effect_since(Fault("slippery", duration=1.0), 1.0, moments, PROFILE) == 1.3
    assert effect_since(Fault("push", duration=1.0), 1.0, moments, PROFILE) == 1.0
    assert effect_since(Fault("push", duration=1.0), None, moments, PROFILE) is None


def test_missing_torque_has_an_effect_once_it_is_wanted():
    limit = PROFILE.joints[1].effort
    wanted = np.array([0.0, 0.1 * limit, 0.0, 0.0, 0.0, 0.0])
    moments = [moment(1.0), moment(1.1, effort=wanted)]
    assert effect_since(Fault("torque_saturation", duration=1.0), 1.0, moments, PROFILE) == 1.1
    assert effect_since(Fault("torque_saturation", duration=1.0, target="waist"), 1.0, moments, PROFILE) is None


def test_shares_are_counted_of_what_took_effect_and_times_run_to_true_rest():
    found = FaultFigures(
        CASES["push"],
        (
            trial(seen(ExceptionKind.COLLISION, 1.1, 1.3), ended(True)),
            trial(seen(ExceptionKind.UNEXPECTED_ACTION, 1.3, None), ended(False, "failed"), held=True),
            trial(None, ended(True)),
            trial(None, ended(True), effect=None),
        ),
    ).as_dictionary()
    assert (found["episodes"], found["took_effect"]) == (4, 3)
    counts = {key: (found[key]["count"], found[key]["of"]) for key in ("detected", "kind_right", "stopped")}
    assert counts == {"detected": (2, 3), "kind_right": (1, 2), "stopped": (1, 2)}
    assert found["seconds_to_stop"]["median"] == pytest.approx(0.3)
    assert found["seconds_to_see"]["max"] == pytest.approx(0.3)
    assert (found["recovered"]["count"], found["held_for_a_person"]["count"]) == (1, 1)
    assert (found["success_with"]["count"], found["success_without"]["count"]) == (3, 0)
    assert found["success_of_undetected"]["count"] == 1


def test_an_alarm_without_a_reason_is_false_and_counted_per_hour_of_simulated_work():
    stop = seen(ExceptionKind.COLLISION, 1.0, 1.1)
    alarms = (Alarm(stop, ""), Alarm(stop, "the arm pressed against something with up to 30 N"))
    found = CleanFigures(
        (CleanTrial(1, alarms, ended(True, seconds=900.0), ended(True)), CleanTrial(2, (), ended(False), ended(True)))
    ).as_dictionary()
    assert (found["exceptions"], found["false_alarms"]) == (2, 1)
    assert found["true_exceptions"] == {"the arm pressed against something": 1}
    assert found["false_alarms_per_hour"] == pytest.approx(3600 / 908)
    assert found["points_lost"] == pytest.approx(50.0)


def test_of_nothing_there_is_no_interval_and_no_time():
    assert share(0, 0) == {"count": 0, "of": 0, "ci95": None}
    assert spread([None]) is None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--fault", "flood"), "fault"),
        (("--fault", "push", "--fault", "push"), "fault"),
        (("--episodes", "0"), "episodes"),
        (("--clean", "-1"), "clean"),
        (("--workers", "0"), "workers"),
        (("--cap", "0"), "cap"),
        (("--seed", "-1"), "seed"),
        (("--clean-seed", "-1"), "clean-seed"),
        (("--json", "/proc/none/faults.json"), "--json"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(arguments: tuple[str, ...], named: str):
    result = CliRunner().invoke(app, ["bench", "faults", *arguments])
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.key == named


def test_a_push_and_a_dead_sensor_are_seen_stopped_and_recovered_from_e1_e4_e7(tmp_path: Path):
    file = tmp_path / "faults.json"
    chosen = (
        "--fault",
        "push",
        "--fault",
        "drop_joint_states",
        "--episodes",
        "1",
        "--clean",
        "1",
        "--workers",
        "1",
        "--cap",
        "112",
    )
    result = CliRunner().invoke(app, ["bench", "faults", *chosen, "--json", str(file)])
    assert result.exception is None, result.output
    assert "drop_joint_states" in result.output
    found = json.loads(file.read_text())
    assert [row["fault"] for row in found["faults"]] == ["push", "drop_joint_states"]
    for row in found["faults"]:
        for key in ("detected", "kind_right", "stopped", "truly_at_rest", "recovered"):
            assert (row[key]["count"], row[key]["of"]) == (1, 1), f"{row['fault']}: {key}"
        assert 0.0 < row["seconds_to_stop"]["median"] < 1.0
    assert found["clean"]["episodes"] == 1
    assert found["sub_slice_checks"]["slices"] > 0
    assert found["sub_slice_checks"]["ratio_max"] == 1.0
