"""`ams rules`: what watches the arm, what does not and why, without any node (E1)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ams_ros.cli.main import main
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.rule_table import LOOKS_AT

Call = Callable[..., tuple[int, str, str]]

OVERLAY = """
robot: widowx_250s
driver: simulated_widowx
made: by a test
rules:
  wrench_contact: {force: 31.5}
  tracking_error: {error: [0.1, 0.1, 0.2, 0.1, 0.1, 0.1]}
  singularity: {enabled: false}
"""
CONDITIONS = """
conditions:
- {name: not_too_low, quantity: tip.z, comparison: above, value: 0.01, for: 0.1, severity: serious}
- {name: soft_hands, quantity: wrench.force, comparison: below, value: 30, when: [{quantity: plan.closing, comparison: is, value: true}]}
- {name: later, enabled: false, quantity: tip.speed, comparison: below, value: 0.5}
"""  # noqa: E501 - a condition in a line, as people write them


@pytest.fixture
def ams(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Call `ams rules` in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "learned.yaml").write_text(OVERLAY)
    (tmp_path / "mine.yaml").write_text(CONDITIONS)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ams", "rules", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


def line_of(text: str, name: str) -> str:
    """The one table row of that name."""
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [name])
    return line


def test_every_rule_has_a_row_with_kind_state_and_thresholds(ams: Call) -> None:
    code, out, _ = ams()
    assert code == 0
    for name, rule in RULES.items():
        assert f"#{rule.kind.value}" in line_of(out, name)
        assert " on " in f"{line_of(out, name)} "
    assert "force 20 N" in line_of(out, "wrench_contact")
    assert "gripper.gap above 0.001 m" in line_of(out, "grasp")


def test_every_rule_is_told_in_words() -> None:
    assert set(LOOKS_AT) == set(RULES)


def test_an_outcome_that_ships_switched_off_is_named_as_such(ams: Call) -> None:
    assert "apply_force: off, switched off in its file" in ams()[1].splitlines()


def test_a_robot_without_sensors_is_told_which_rules_it_goes_without_and_why(ams: Call) -> None:
    out = ams("--driver", "interbotix_wx250s")[1]
    assert " off " in line_of(out, "wrench_jump")
    assert "torque: off, needs measured joint effort in N m, which interbotix_wx250s does not have" in out
    assert " on " in line_of(out, "tracking_error")


def test_an_arm_without_a_profile_is_told_as_far_as_its_driver_tells(
    ams: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ams_ros.cli.rules_view.profile_names", lambda: ("widowx_250s",))
    code, out, _ = ams("--driver", "jaka_s5")
    assert code == 0
    assert "angular_momentum: off, needs masses and inertias that are physical" in out
    assert "no profile config/robots/jaka_s5.yaml" in out


def test_learned_thresholds_stand_beside_the_defaults_they_replace(ams: Call) -> None:
    out = ams("--thresholds", "learned.yaml")[1]
    assert "force 31.5 N (default 20)" in line_of(out, "wrench_contact")
    assert "error [0.1 0.1 0.2 0.1 0.1 0.1] rad (default 0.12)" in line_of(out, "tracking_error")
    assert "singularity: off, switched off" in out


def test_own_conditions_are_listed_with_what_they_say(ams: Call) -> None:
    out = ams("--conditions", "mine.yaml")[1]
    assert "tip.z above 0.01 m for 0.1 s" in line_of(out, "not_too_low")
    assert "plan.closing true" in line_of(out, "soft_hands")
    assert "later: off, switched off in its file" in out


def test_own_conditions_the_robot_has_no_sensor_for_are_off_with_the_reason(ams: Call) -> None:
    out = ams("--driver", "interbotix_wx250s", "--conditions", "mine.yaml")[1]
    assert line_of(out, "soft_hands").endswith("off")
    assert "condition.soft_hands: off, needs a wrench sensor" in out
    assert line_of(out, "not_too_low").rstrip().endswith("on")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (
            ("--driver", "widow"),
            "driver: got 'widow', allowed: interbotix_wx250s, jaka_s5, simulated_jaka, simulated_widowx",
        ),
        (("--driver", "interbotix_wx250s", "--thresholds", "learned.yaml"), "driver: got 'simulated_widowx'"),
        (("--driver", "jaka_s5", "--thresholds", "learned.yaml"), "robot: got 'widowx_250s', allowed: jaka_s5"),
        (("--thresholds", "none.yaml"), "none.yaml"),
        (("--conditions", "learned.yaml"), "allowed: conditions"),
        (("--markdown", "--driver", "jaka_s5"), "--driver: got 'jaka_s5', allowed: nothing with --markdown"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_the_monitor_would_refuse_ends_in_one_line_and_code_2(
    ams: Call, arguments: tuple[str, ...], named: str
) -> None:
    code, out, err = ams(*arguments)
    assert (code, out) == (2, "")
    (line,) = err.strip().splitlines()
    assert named in line


def test_a_list_of_thresholds_that_does_not_fit_the_arm_is_refused(ams: Call, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(OVERLAY.replace("[0.1, 0.1, 0.2, 0.1, 0.1, 0.1]", "[0.1, 0.1]"))
    code, _, err = ams("--thresholds", "short.yaml")
    assert code == 2
    assert "rules.tracking_error.error" in err
