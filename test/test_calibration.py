"""Thresholds learned from runs that went well: the stated rate of false alarms, and what is said when it cannot be."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calibration_runs import noise, shaken
from scipy.stats import binom
from watched_arm import PROFILE, only, plan, watched

from ams_ros.errors import ConfigurationError
from ams_ros.exception.calibration import overlay_file
from ams_ros.exception.calibration.calibration import Calibration, calibrate, split
from ams_ros.exception.calibration.conformal import ROOM, runs_needed, upper_bound
from ams_ros.exception.calibration.overlay_file import write_overlay
from ams_ros.exception.calibration.replay import Replay, RunScore, alarms
from ams_ros.exception.calibration.run import Arrived, Run, RunEvent
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.settings import limit_of, thresholds
from ams_ros.exception.threshold_file import default_rule_settings, load_rule_settings
from ams_ros.robot.driver_file import load_driver
from ams_ros.types import JointSample

ROBOT = watched(physical_inertia=False)
WRENCH = only("wrench_jump", "wrench_contact")
JUMP, CONTACT = ("wrench_jump", "force"), ("wrench_contact", "force")


def score(name: str, *forces: float, alarms: frozenset[str] = frozenset()) -> list[RunScore]:
    return [RunScore(f"{name} {number}", {JUMP: force}, alarms) for number, force in enumerate(forces)]


@pytest.fixture(scope="module")
def scored() -> list[RunScore]:
    """120 runs of the same noise."""
    replay = Replay(ROBOT, WRENCH)
    return [replay.score(shaken(f"run {seed}", noise(seed))) for seed in range(120)]


@pytest.mark.parametrize(("runs", "rate"), [(19, 0.1), (19, 0.05), (60, 0.05)])
def test_the_next_run_like_the_others_is_above_the_bound_as_rarely_as_stated(runs, rate):
    rng, trials = np.random.default_rng(3), 3000
    above = sum(
        value > upper_bound(list(seen), rate).value for *seen, value in rng.exponential(size=(trials, runs + 1))
    )
    assert binom.ppf(1e-5, trials, rate - 1.0 / (runs + 1)) <= above <= binom.ppf(1.0 - 1e-5, trials, rate)


def test_a_rule_calibrated_on_runs_stops_others_like_them_as_rarely_as_stated(scored):
    draw, trials, rate, stopped = random.Random(5), 400, 0.2, 0
    for _ in range(trials):
        *seen, new = draw.sample(scored, 30)
        found = calibrate(seen, [new], [], WRENCH, rate)
        assert all(each.enough for each in found.learned)
        stopped += next(row.false_alarms for row in found.table if row.rule == "wrench_jump")
    assert 0 < stopped <= binom.ppf(1.0 - 1e-5, trials, rate)


def test_too_few_runs_for_a_rate_are_admitted_and_leave_room():
    bound = upper_bound([1.0, 3.0, 2.0], 0.1)
    assert (bound.value, bound.rate, bound.enough) == (3.0 * ROOM, 0.25, False)
    assert runs_needed(0.1) == 9
    assert upper_bound(list(range(9)), 0.1).enough
    assert not upper_bound(list(range(8)), 0.1).enough


@pytest.mark.parametrize("key", [JUMP, CONTACT])
@pytest.mark.parametrize("seed", range(4))
def test_a_rule_lets_a_run_pass_with_its_critical_limit_and_stops_it_with_less(key, seed):
    rule, threshold = key
    run = shaken("run", noise(seed, samples=80) + np.linspace(0.0, 9.0, 80)[:, None])
    critical = Replay(ROBOT, only(rule)).score(run).critical[key]
    assert critical > 0.2
    wide = {"torque": 9999.0}
    assert rule not in alarms(ROBOT, only(rule, **{threshold: critical * (1.0 + 1e-9)}, **wide), run)
    assert rule in alarms(ROBOT, only(rule, **{threshold: critical * (1.0 - 1e-9)}, **wide), run)


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [
        ("tracking_error", "error"),
        ("momentum_observer", "residual"),
        ("torque", "share"),
        ("angular_momentum", "share"),
    ],
)
def test_a_rule_of_the_joints_lets_a_run_pass_with_its_critical_limit_and_stops_it_with_less(rule, threshold):
    robot, run = watched(), swinging()
    critical = Replay(robot, only(rule)).score(run).critical[rule, threshold]
    assert critical > 0.0
    assert rule not in alarms(robot, only(rule, **{threshold: critical * (1.0 + 1e-9)}), run)
    assert rule in alarms(robot, only(rule, **{threshold: critical * (1.0 - 1e-9)}), run)


def swung(event: RunEvent) -> RunEvent:
    """The event, with a swing of 1 s put on it while the goal runs."""
    if not isinstance(event, Arrived) or not isinstance(event.sample, JointSample):
        return event
    sample, time = event.sample, event.sample.stamp - 5.2
    if not 0.0 < time < 1.0:
        return event
    swing = np.array([0.3, 0.2, -0.2, 0.1, 0.3, 0.2, 0.0])
    velocity = 9.0 * swing * np.cos(9.0 * time)
    position = sample.position + swing * np.sin(9.0 * time)
    return replace(event, sample=replace(sample, position=position, velocity=velocity, effort=10.0 * velocity))


def swinging() -> Run:
    """A run whose arm swings about while its plan stands still, with efforts to match nothing."""
    still = shaken("swinging", np.zeros((100, 3)), plan(np.tile(PROFILE.start, (20, 1))))
    return Run("swinging", tuple(swung(event) for event in still.events))


def test_false_alarms_and_missed_failures_are_counted_by_rule_and_together():
    good = score("good", *range(1, 20))
    held_out = [*score("held out", 5.0, 19.0, 30.0), *score("silent", 1.0, alarms=frozenset({"silence"}))]
    failures = [*score("failure", 100.0, 1.0), *score("noticed", 1.0, alarms=frozenset({"silence"}))]
    found = calibrate(good, held_out, failures, WRENCH, 0.05)
    assert [(each.threshold, each.value, each.enough) for each in found.learned] == [("force", 19.0, True)]
    assert {row.rule: (row.false_alarms, row.missed) for row in found.table} == {
        "wrench_jump": (1, 2),
        "silence": (1, 2),
        "any": (2, 1),
    }


def test_thresholds_of_one_rule_share_its_rate():
    torque = ("wrench_jump", "torque")
    good = [RunScore(f"run {n}", {JUMP: float(n), torque: 10.0 * n}, frozenset()) for n in range(1, 40)]
    found = calibrate(good, [], [], WRENCH, 0.1)
    assert [(each.value, each.rate, each.needed) for each in found.learned] == [(38.0, 0.05, 19), (380.0, 0.05, 19)]


def test_rules_that_have_nothing_to_learn_are_asked_too_also_between_samples():
    run = shaken("run", noise(1, samples=100))
    gap = [event for event in run.events if not isinstance(event, Arrived) or not 5.5 < event.arrival < 6.1]
    rules = only("silence")
    assert Replay(ROBOT, rules).score(run).alarms == frozenset()
    assert Replay(ROBOT, rules).score(Run("gap", gap)).alarms == {"silence"}


def test_learned_values_are_moved_into_the_allowed_range_and_that_is_said():
    found = calibrate(score("good", 1e-3, 1e-3), [], [], WRENCH, 0.4)
    assert [(each.value, each.clipped) for each in found.learned] == [(0.1, True)]
    found = calibrate(score("good", np.inf), [], [], WRENCH, 0.5)
    assert [(each.value, each.clipped) for each in found.learned] == [(10000.0, True)]


def test_rounding_never_puts_a_limit_below_what_was_seen():
    for value in np.random.default_rng(0).uniform(0.2, 200.0, 300):
        found = calibrate(score("good", value), [], [], WRENCH, 0.5)
        assert value <= found.learned[0].value <= value * 1.002


def test_what_no_run_shows_is_not_learned_and_said():
    found = calibrate(score("good", 0.0, 0.0), [], [], WRENCH, 0.5)
    assert found.learned == ()
    assert list(found.silent) == ["wrench_jump.force"]


def test_every_threshold_that_is_declared_as_learned_can_be_learned():
    declared = {
        (name, each.name)
        for name, rule in RULES.items()
        for each in thresholds(rule.Settings)
        if limit_of(each).learned
    }
    assert set(Replay(watched(), default_rule_settings()).learnable) == declared


def test_rules_that_lack_a_sensor_are_named():
    replay = Replay(watched(wrench=None, effort=False), default_rule_settings())
    assert {rule for rule, _ in replay.learnable} == {"angular_momentum", "tracking_error"}
    assert "a wrench sensor" in replay.off["wrench_jump"]
    assert "joint effort" in replay.off["torque"]


def test_without_a_good_run_nothing_is_learned():
    with pytest.raises(ConfigurationError, match="good runs: got 0"):
        calibrate([], [], [], WRENCH, 0.1)


def test_the_same_runs_are_held_out_for_the_same_seed_and_one_at_least_is_learned_from():
    runs = score("run", *range(20))
    chosen, held_out = split(runs, 0.5, seed=4)
    assert (chosen, held_out) == split(runs, 0.5, seed=4) != split(runs, 0.5, seed=5)
    assert len(held_out) == 10
    assert sorted(run.name for run in (*chosen, *held_out)) == sorted(run.name for run in runs)
    assert [len(part) for part in split(runs[:1], 0.9, seed=1)] == [1, 0]


def test_a_run_whose_plans_are_of_another_arm_or_whose_clock_was_set_back_is_refused():
    wrong = plan(np.zeros((4, 6)))
    wrong = replace(wrong, joints=np.zeros((4, 5)))
    with pytest.raises(ConfigurationError, match=r"run 1: .*5 joints"):
        Replay(ROBOT, WRENCH).score(shaken("run 1", noise(1), wrong))
    once = shaken("run 2", noise(1))
    twice = Run("run 2", (*once.events, *once.events))
    with pytest.raises(ConfigurationError, match=r"run 2: .*go back"):
        Replay(ROBOT, WRENCH).score(twice)


def learned() -> Calibration:
    return calibrate(score("good", 10.0, 12.0), [], [], WRENCH, 0.5)


def test_the_written_file_is_read_as_thresholds_of_that_driver_alone(tmp_path: Path):
    driver, path = load_driver("simulated_widowx"), tmp_path / "learned.yaml"
    write_overlay(path, learned(), driver, "2026-01-01 by a test: 2 runs", force=False)
    settings = load_rule_settings(driver, path)
    assert settings["wrench_jump"].thresholds.force == 12.0
    assert settings["wrench_jump"].thresholds.torque == load_rule_settings(driver)["wrench_jump"].thresholds.torque
    with pytest.raises(ConfigurationError, match="driver"):
        load_rule_settings(replace(driver, name="another"), path)


def test_a_file_is_replaced_only_when_asked_and_then_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    driver, path = load_driver("simulated_widowx"), tmp_path / "learned.yaml"
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match="--force"):
        write_overlay(path, learned(), driver, "now", force=False)
    assert path.read_text() == "mine"
    # Somebody else may write it after it was looked for.
    monkeypatch.setattr(overlay_file, "check_overlay", lambda path, force: None)
    with pytest.raises(ConfigurationError, match="File exists"):
        write_overlay(path, learned(), driver, "now", force=False)
    assert path.read_text() == "mine"
    write_overlay(path, learned(), driver, "now", force=True)
    assert path.read_text() != "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["learned.yaml"]
