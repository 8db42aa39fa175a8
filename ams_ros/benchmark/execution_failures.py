"""Whether the rules of the wrench, calibrated on the normal motions of a real arm, find its recorded failures.

The series are the Robot Execution Failures of the UCI machine learning repository (Seabra Lopes and
Camarinha-Matos 1999): an industrial robot's force and torque in units of its sensor, nothing else. Each begins where
the failure was noticed, so that its own first samples cannot be the sensor's offset; that is the median of the normal
motions calibrated on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.exception.calibration.calibration import Calibration, calibrate
from ams_ros.exception.calibration.replay import Replay, alarms
from ams_ros.exception.calibration.run import Arrived, Begun, Ended, Run
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import RuleSettings, default_rule_settings
from ams_ros.exception.wrench_compensation import TARE_SAMPLES
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.types import Float64Array, WrenchSample

PERIOD = 0.021
"""s between two samples; 15 of them, 315 ms, make a series."""

SAMPLES = 15
NORMAL = "normal"
RULES = ("wrench_jump", "wrench_contact")
RATE = 0.01
"""False alarms per normal motion asked for. So few motions cannot vouch for it; the largest value and some room count
then, as `conformal.upper_bound` says."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One instance. kind: its class. values: (15, 6) float64, force and torque in units of the sensor."""

    name: str
    kind: str
    values: Float64Array


@dataclass(frozen=True, slots=True)
class KindTally:
    """How many series of one class there are to judge, and in how many a rule fired."""

    kind: str
    series: int
    alarms: int


@dataclass(frozen=True, slots=True)
class FailureReport:
    """One problem. half: which half of the normal motions was learned from: 0 those at even places, 1 at odd ones."""

    problem: str
    half: int
    learned_from: int
    limits: dict[str, float]
    tallies: tuple[KindTally, ...]

    @property
    def failures(self) -> int:
        """Series that are failures."""
        return sum(each.series for each in self.tallies if each.kind != NORMAL)

    @property
    def found(self) -> int:
        """Failures in which a rule fired."""
        return sum(each.alarms for each in self.tallies if each.kind != NORMAL)

    @property
    def false_alarms(self) -> int:
        """Normal motions, not learned from, in which a rule fired."""
        return sum(each.alarms for each in self.tallies if each.kind == NORMAL)

    def as_dictionary(self) -> dict[str, Any]:
        """The JSON form."""
        sums = {"failures": self.failures, "found": self.found, "false_alarms": self.false_alarms}
        return {**asdict(self), **sums}


def read_series(path: Path) -> list[Series]:
    """The series of one file. Raises ConfigurationError naming file and series when it is not such a file."""
    try:
        blocks = path.read_text(encoding="utf-8").split("\n\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(path), str(error), "a readable file of force and torque series") from error
    found = []
    for number, block in enumerate(filter(None, map(str.strip, blocks)), start=1):
        kind, *rows = (line.strip() for line in block.splitlines())
        try:
            values = np.array([[float(word) for word in row.split()] for row in rows])
        except ValueError as error:
            values = np.full(1, np.nan)
            reason = str(error)
        else:
            reason = f"an array {values.shape}"
        if values.shape != (SAMPLES, 6) or not np.isfinite(values).all():
            allowed = f"a class, then {SAMPLES} rows of 6 finite numbers"
            raise ConfigurationError(f"{path.name}, series {number}", reason, allowed)
        found.append(Series(f"{path.name} {number}", kind, values))
    return found


def judge(problem: str, known: list[Series], half: int) -> FailureReport:
    """Calibrate on one half of the normal motions, then look at everything else."""
    normal = [each for each in known if each.kind == NORMAL]
    others = [each for each in known if each.kind != NORMAL]
    calibrating, judged = normal[half::2], [*normal[1 - half :: 2], *others]
    if not calibrating:
        raise ConfigurationError(f"normal motions of {problem}", len(normal), "at least 2")
    offset = np.median(np.concatenate([each.values for each in calibrating]), axis=0)
    robot, rules = _force_sensor(), _wrench_rules()
    replay = Replay(robot, rules)
    found = calibrate([replay.score(_run(each, offset)) for each in calibrating], [], [], rules, RATE)
    learned = found.applied(rules)
    fired = [each.kind for each in judged if alarms(robot, learned, _run(each, offset))]
    there, heard = Counter(each.kind for each in judged), Counter(fired)
    tallies = tuple(KindTally(kind, count, heard[kind]) for kind, count in there.items())
    return FailureReport(problem, half, len(calibrating), _limits(found), tallies)


def _limits(found: Calibration) -> dict[str, float]:
    return {f"{each.rule}.{each.threshold}": each.value for each in found.learned}


def _run(series: Series, offset: Float64Array) -> Run:
    """A series as a run: the sensor with nothing touched, as at a gripper's rest, then the series itself."""
    rows = np.vstack((np.tile(offset, (TARE_SAMPLES, 1)), series.values))
    samples = [
        WrenchSample(PERIOD * place, "sensor", row[:3].copy(), row[3:].copy())
        for place, row in enumerate(rows, start=1)
    ]
    events = [Arrived(each, each.stamp) for each in samples]
    end = samples[-1].stamp
    return Run(
        series.name, (*events[:TARE_SAMPLES], Begun(None, PERIOD * TARE_SAMPLES), *events[TARE_SAMPLES:], Ended(end))
    )


def _force_sensor() -> WatchedRobot:
    """An arm of which nothing is known but its wrench; the profile only stands in, as there has to be one."""
    driver = replace(load_driver("simulated_widowx"), velocity=False, effort=False, physical_inertia=False)
    profile = load_profile(driver.robot)
    return WatchedRobot(profile, driver, ArmDynamics(profile))


def _wrench_rules() -> RuleSettings:
    """The rules of the wrench as they are declared; what concerns joints is off, as no joint state ever comes."""
    return {name: replace(setting, enabled=name in RULES) for name, setting in default_rule_settings().items()}
