"""`ams bench reaction`: its arithmetic, its stopwatch, and one real short run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_cli import ams

from ams_ros.benchmark.reaction.figures import Reaction, Watch, rate_figures, worst
from ams_ros.benchmark.reaction.goals import GOALS
from ams_ros.nodes.reaction_bench.offence import SPIKE, MarkedTap, Offence
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.control_loop import ControlLoop, arm_settings, gripper_settings
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tolerances import ToleranceRequest
from ams_ros.simulation.trajectory import Trajectory, Waypoint

AGREED = (
    *("samples", "unchecked", "reaction_ms_p50", "reaction_ms_p99", "reaction_ms_max", "bare_ms_p50", "bare_ms_p99"),
    *("ratio_p99", "stopped_ms_p99", "rule_us_p99", "cpu_percent"),
)
PROFILE = load_profile("widowx_250s")


def reactions(*milliseconds: float) -> list[Reaction]:
    """Cancels that took so long, each answered after twice and the arm at rest after ten times that."""
    return [Reaction(5.0, 5.0 + t * 1e-3, 5.0 + t * 1e-2, 5.0 + t * 2e-3) for t in milliseconds]


def watch(**changes: Any) -> Watch:
    found: dict[str, Any] = {"detection": [1e-4], "rule_us": [10.0, 20.0], "sent": 9, "checked": 7, "cpu": 0.12}
    return Watch(**{**found, "others": (), "unproven": 0, **changes})


def test_figures_are_times_since_publication_and_ratios_of_the_same_percentile() -> None:
    row = rate_figures(250.0, reactions(2.0, 4.0), reactions(1.0, 3.0), watch())
    assert row["reaction_ms_p50"] == pytest.approx(3.0)
    assert row["reaction_ms_max"] == pytest.approx(4.0)
    assert row["bare_ms_p50"] == pytest.approx(2.0)
    assert row["ratio_p50"] == pytest.approx(1.5)
    assert row["answered_ms_p50"] == pytest.approx(6.0)
    assert row["stopped_ms_p50"] == pytest.approx(30.0)
    assert (row["samples"], row["unchecked"], row["cpu_percent"]) == (2, 2, 12.0)
    assert set(AGREED) <= set(row)


def test_goals_are_judged_by_the_worst_rate_by_all_unchecked_samples_and_by_the_cpu_time_at_250_hz() -> None:
    rows = [
        rate_figures(100.0, reactions(1.0), reactions(1.0), watch(cpu=0.01)),
        rate_figures(250.0, reactions(3.0), reactions(1.0), watch(cpu=0.02)),
        rate_figures(1000.0, reactions(2.0), reactions(1.0), watch(cpu=0.03, sent=7)),
    ]
    found = worst(rows, "loaded_")
    assert found["loaded_ratio_p99"] == pytest.approx(3.0)
    assert found["loaded_unchecked"] == 4
    assert found["loaded_cpu_percent"] == pytest.approx(2.0)
    assert {goal.key for goal in GOALS["loaded_"]} == set(found)
    assert worst(rows[:1], "")["cpu_percent"] == pytest.approx(1.0)


def test_the_offence_is_one_spoiled_sample_in_motion_and_its_end_the_arm_at_rest() -> None:
    loop = ControlLoop(Plant(PROFILE, timestep=0.001), arm_settings(PROFILE), gripper_settings(PROFILE))
    offence, told = Offence(MarkedTap(loop), 0.02), []
    assert offence.tap.joints() is None, "nothing leaves before it is wanted"
    offence.tap.flows = True
    goal = PROFILE.start.copy()
    goal[0] += 1.0
    none = np.zeros(0)
    trajectory = Trajectory(PROFILE.joint_names, (Waypoint(1.0, goal, none, none, none),))
    number, _ = loop.arm.accept(trajectory, ToleranceRequest(), loop.plant.time)
    offence.arm(0.05, loop.plant.time, told.append)
    spoiled = 0
    for step in range(2000):
        offence.look(loop)
        if step % 10 == 0:
            loop.update()
            sample = offence.tap.wrench()
            if sample is not None and sample.force[2] > SPIKE / 2:
                spoiled += 1
                speed = loop.plant.joints().velocity
                assert speed is not None
                assert abs(speed[0]) > 0.1
                loop.cancel_arm(number)
                offence.canceled()
        loop.plant.advance(0.001)
        if told:
            break
    assert spoiled == 1
    (times,) = told
    assert times["spoiled"] < times["canceled"] < times["rested"]
    loop.plant.close()


def test_an_offence_that_nobody_answers_is_told_without_times() -> None:
    loop = ControlLoop(Plant(PROFILE, timestep=0.001), arm_settings(PROFILE), gripper_settings(PROFILE))
    offence, told = Offence(MarkedTap(loop), 0.02), []
    offence.arm(0.0, loop.plant.time, told.append)
    for _ in range(30):
        offence.look(loop)
        loop.plant.advance(0.1)
    assert [(set(each), each["published"]) for each in told] == [({"pose", "published"}, False)]
    loop.plant.close()


@pytest.mark.integration
@pytest.mark.slow
def test_a_short_run_stops_the_real_arm_both_ways_and_writes_the_agreed_figures(domain: int, tmp_path: Path) -> None:
    figures = tmp_path / "reaction.json"
    done = ams(
        *("bench", "reaction", "--quick", "--rate", "100", "--samples", "2", "--loaded", "0", "--json", str(figures)),
        timeout=120.0,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    (row,) = found["quiet"]
    assert set(AGREED) <= set(row)
    assert (row["samples"], row["unchecked"], row["unproven"], row["other_stops"]) == (2, 0, 0, [])
    assert 0.0 < row["reaction_ms_p50"] < row["stopped_ms_p50"]
    assert not math.isnan(row["answered_ms_p50"])
    for goal in GOALS[""]:
        assert goal.meaning in done.stdout
    assert "met" not in done.stdout.split()
