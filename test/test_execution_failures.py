"""UCI's Robot Execution Failures, real force and torque series (spec row E1): calibrated on half of the normal ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from watched_arm import watched

from ams_ros.exception.rules.wrench_jump import WrenchJump, WrenchJumpSettings
from ams_ros.exception.state import RobotState
from ams_ros.exception.wrench_compensation import TARE_SAMPLES

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "robot_execution_failures"
ROBOT = watched(physical_inertia=False)
PERIOD = 0.021
ROOM = 1.2
"""Of a limit above the least that lets the calibrating series pass; the same for every file."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recorded series in {FOLDER}")


def series(problem: str) -> list[tuple[str, np.ndarray]]:
    """Class and (15, 6) values, sensor units, of every instance."""
    blocks = (FOLDER / f"{problem}.data.txt").read_text(encoding="utf-8").split("\n\n")
    lines = [block.split("\n") for block in map(str.strip, blocks) if block]
    return [(first.strip(), np.array([list(map(float, row.split())) for row in rows])) for first, *rows in lines]


def alarms(rows: np.ndarray, offset: np.ndarray, force: float, torque: float) -> bool:
    """Whether the rule, tared at `offset` (6,), fires in a series."""
    rule, state = WrenchJump(WrenchJumpSettings(force=force, torque=torque), ROBOT), RobotState(6)
    found = []
    for row in (*[offset] * TARE_SAMPLES, *rows):
        state.stamp = max(state.stamp, 0.0) + PERIOD
        state.force[:], state.torque[:] = row[:3], row[3:]
        found.append(rule.wrench(state))
    return any(found)


def least(normal: list[np.ndarray], offset: np.ndarray, which: int) -> float:
    """The least limit of the force (0) or torque (1) with which no normal series is an alarm."""
    low, high = 0.2, 5000.0
    while high / low > 1.01:
        limits = [9999.0, 9999.0]
        limits[which] = middle = (low * high) ** 0.5
        low, high = (middle, high) if any(alarms(rows, offset, *limits) for rows in normal) else (low, middle)
    return high


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("problem", ["lp1", "lp2"])
def test_every_recorded_failure_is_found_and_no_normal_series_is_an_alarm(problem, half):
    known = series(problem)
    normal = [rows for kind, rows in known if kind == "normal"]
    failures = [(kind, rows) for kind, rows in known if kind != "normal"]
    assert len(failures) == {"lp1": 67, "lp2": 27}[problem]
    calibrating, held_out = normal[half::2], normal[1 - half :: 2]
    offset = np.median(np.concatenate(calibrating), axis=0)
    force, torque = (ROOM * least(calibrating, offset, which) for which in (0, 1))
    assert [kind for kind, rows in failures if not alarms(rows, offset, force, torque)] == []
    assert sum(alarms(rows, offset, force, torque) for rows in held_out) == 0
