"""Thresholds come from one place each, and every wrong key or value is refused with what is allowed."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched_arm import watched

from ams_ros.errors import ConfigurationError
from ams_ros.exception.detector import Detector
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.settings import limit_of, thresholds
from ams_ros.exception.threshold_file import changed, default_rule_settings, load_rule_settings
from ams_ros.robot.driver_file import load_driver

DRIVER = load_driver("simulated_widowx")
HEAD = f"robot: {DRIVER.robot}\ndriver: {DRIVER.name}\nmade: 2026-01-02\n"


def overlay(folder: Path, text: str) -> Path:
    path = folder / "learned.yaml"
    path.write_text(text)
    return path


def test_the_shipped_file_says_nothing_twice():
    shipped = load_rule_settings(DRIVER)
    for name, setting in default_rule_settings().items():
        for each in thresholds(setting.thresholds):
            assert getattr(shipped[name].thresholds, each.name) == getattr(setting.thresholds, each.name)


def test_what_was_learned_overlays_the_defaults_and_leaves_the_rest(tmp_path):
    path = overlay(tmp_path, HEAD + "rules: {silence: {shortest: 0.5}, singularity: {enabled: false}}")
    settings, defaults = load_rule_settings(DRIVER, path), load_rule_settings(DRIVER)
    assert settings["silence"].thresholds.shortest == 0.5
    assert settings["silence"].thresholds.periods == defaults["silence"].thresholds.periods
    assert not settings["singularity"].enabled
    rest = set(settings) - {"silence", "singularity", "outcome", "action_effect"}
    assert all(settings[name] == defaults[name] for name in rest)


def test_thresholds_per_joint_take_one_number_or_a_list_of_one_for_each(tmp_path):
    path = overlay(tmp_path, HEAD + "rules: {torque: {share: [0.9, 0.9, 0.9, 0.8, 0.8, 0.7]}}")
    settings = load_rule_settings(DRIVER, path)
    assert settings["torque"].thresholds.share == (0.9, 0.9, 0.9, 0.8, 0.8, 0.7)
    Detector(watched(), settings)
    with pytest.raises(ConfigurationError, match=r"rules\.torque\.share"):
        Detector(watched(), changed(settings, "torque", {"share": [0.9, 0.8]}))


def test_expected_outcomes_come_from_their_own_file_and_conditions_from_the_users(tmp_path):
    path = tmp_path / "conditions.yaml"
    path.write_text("conditions:\n- {name: low, quantity: tip.z, comparison: above, value: 0.02}\n")
    settings = load_rule_settings(DRIVER, conditions=path)
    assert [each.name for each in settings["condition"].thresholds.conditions] == ["low"]
    assert "grasp" in [each.name for each in settings["outcome"].thresholds.conditions]
    assert not load_rule_settings(DRIVER)["condition"].thresholds.conditions


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("{silense: {}}", r"did you mean silence\?"),
        ("{silence: {period: 3}}", r"rules\.silence.*did you mean periods\?"),
        ("{silence: {periods: many}}", r"rules\.silence\.periods: got 'many'"),
        ("{silence: {periods: true}}", r"rules\.silence\.periods: got True"),
        ("{silence: {periods: 1}}", r"rules\.silence\.periods.*2 to 1000"),
        ("{silence: {periods: .nan}}", r"rules\.silence\.periods.*nan"),
        ("{silence: {periods: .inf}}", r"rules\.silence\.periods.*inf"),
        ("{silence: {periods: [10, 10]}}", r"rules\.silence\.periods"),
        ("{silence: {enabled: 1}}", r"rules\.silence\.enabled.*true or false"),
        ("{silence: 3}", r"rules\.silence.*mapping"),
        ("{invalid_sample: {samples: 1.5}}", r"rules\.invalid_sample\.samples.*whole number"),
        ("{torque: {share: [0.9, x]}}", r"rules\.torque\.share: got 'x'"),
        ("{torque: {share: []}}", r"rules\.torque\.share"),
        ("[silence]", "rules"),
        ("{outcome: {conditions: []}}", r"rules\.outcome"),
    ],
)
def test_every_wrong_entry_is_refused_by_name_with_the_file_it_stands_in(tmp_path, rules, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_rule_settings(DRIVER, overlay(tmp_path, HEAD + f"rules: {rules}"))
    assert "learned.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD.replace(DRIVER.robot, "other_arm") + "rules: {}", DRIVER.robot),
        (HEAD.replace(f"driver: {DRIVER.name}", "driver: other") + "rules: {}", DRIVER.name),
        (HEAD + "rules: {}\nthresholds: {}", "thresholds"),
        (HEAD, "rules"),
        (HEAD + "rules: {silence: {periods: 3}, silence: {periods: 4}}", "stands twice"),
        ("rules: [", "readable YAML"),
    ],
)
def test_an_overlay_of_another_robot_or_another_form_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigurationError, match=message):
        load_rule_settings(DRIVER, overlay(tmp_path, text))


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_threshold_tells_its_meaning_and_allows_its_own_default(rule):
    for each in thresholds(RULES[rule].Settings()):
        assert limit_of(each).text
        assert limit_of(each).source
        assert type(each.default) in {bool, int, float}, each.name
        changed(default_rule_settings(), rule, {each.name: each.default})
    assert all(each.default is not None for each in fields(RULES[rule].Settings))


def test_every_rule_has_a_name_of_its_own_and_a_kind():
    assert len({rule.name for rule in RULES.values()}) == len(RULES) == 17
    assert {rule.kind.value for rule in RULES.values()} == {1, 2, 3, 4, 5, 6, 7}


@given(
    st.sampled_from([*RULES, "x"]),
    st.sampled_from(["enabled", "periods", "share", "samples", "conditions", "x"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=4,
    ),
)
def test_a_change_is_refused_or_lies_within_the_declared_range(rule, key, value):
    try:
        settings = changed(default_rule_settings(), rule, {key: value})
    except ConfigurationError:
        return
    if key == "enabled":
        assert settings[rule].enabled is value
        return
    known = next(limit_of(each) for each in thresholds(settings[rule].thresholds) if each.name == key)
    found = getattr(settings[rule].thresholds, key)
    assert all(known.minimum <= each <= known.maximum for each in (found if isinstance(found, tuple) else (found,)))
