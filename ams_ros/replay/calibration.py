"""Learning the thresholds of the replay signal from a robot that idles: what moves there is noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ams_ros.exception.calibration.run import Arrived, Run
from ams_ros.replay.signal import SignalSettings
from ams_ros.robot.profile import RobotProfile
from ams_ros.types import Float64Array, JointSample

WINDOW = 0.4
"""s, the time a slice of eight steps takes."""

FACTOR = 3.0
"""Times the largest change seen: a longer look would have seen a larger one."""


@dataclass(frozen=True, slots=True)
class LearnedSignal:
    """arm: rad, gripper: m, as in SignalSettings; gripper is 0 where it is not measured. windows: looked at."""

    arm: float
    gripper: float
    windows: int


class RestNoise:
    """Finds, in runs, the windows in which the arm rests, and the largest change over one of them."""

    def __init__(self, profile: RobotProfile, rest: float) -> None:
        """rest: rad/s, no joint is faster while the arm rests (RestCriterion.velocity of its driver)."""
        self._names = (*profile.joint_names, profile.gripper.joint)
        self._dof, self._rest = len(profile.joints), rest
        self._drive = profile.gripper.drive_speed
        self._arm, self._gripper, self._windows = 0.0, 0.0, 0

    def take(self, run: Run) -> None:
        """Look through a run. Samples that lack an arm joint or a number, or come too late, end a window."""
        stretch: list[tuple[float, Float64Array]] = []
        settled = False
        for event in run.events:
            if not (isinstance(event, Arrived) and isinstance(event.sample, JointSample)):
                continue
            place = self._in_order(event.sample)
            stamp = event.sample.stamp
            if place is None or (stretch and not self._resting(stretch[-1], stamp, place)):
                stretch.clear()
                settled = False
            if place is None:
                continue
            stretch.append((stamp, place))
            if stamp - stretch[0][0] >= WINDOW:
                # In the first window of a rest the arm settles after its motion, which is no noise.
                if settled:
                    self._look(np.abs(place - stretch[0][1]))
                settled = True
                del stretch[:-1]

    def learned(self) -> LearnedSignal | None:
        """Thresholds above the noise, never below the paper's; None when the arm never rested for two windows."""
        if not self._windows:
            return None
        least = SignalSettings()
        return LearnedSignal(
            max(least.arm, _rounded(FACTOR * self._arm)),
            max(least.gripper, _rounded(FACTOR * self._gripper)),
            self._windows,
        )

    def _look(self, change: Float64Array) -> None:
        self._windows += 1
        self._arm = max(self._arm, float(change[: self._dof].max()))
        if len(change) > self._dof:
            self._gripper = max(self._gripper, float(change[self._dof]))

    def _in_order(self, sample: JointSample) -> Float64Array | None:
        """The arm's joints and, where it is measured, the finger."""
        names: Sequence[str] = self._names if self._names[-1] in sample.names else self._names[:-1]
        if any(name not in sample.names for name in names) or len(sample.names) != len(sample.position):
            return None
        place = sample.position[[sample.names.index(name) for name in names]]
        return place if np.isfinite(place).all() and math.isfinite(sample.stamp) else None

    def _resting(self, before: tuple[float, Float64Array], stamp: float, place: Float64Array) -> bool:
        elapsed = stamp - before[0]
        if not 0.0 < elapsed <= WINDOW or len(place) != len(before[1]):
            return False
        speed = np.abs(place - before[1]) / elapsed
        # Fingers that travel do so much faster than the noise of their sensor.
        return bool((speed[: self._dof] <= self._rest).all() and (speed[self._dof :] <= self._drive / 4.0).all())


def _rounded(value: float) -> float:
    """To two digits, upwards."""
    if value <= 0.0:
        return value
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.3g}")
