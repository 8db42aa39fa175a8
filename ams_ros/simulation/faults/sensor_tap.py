"""What the robot's driver publishes of what the plant measures; in between, samples can be lost or spoiled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ams_ros.simulation.faults.fault import CONTENT, WRENCH
from ams_ros.simulation.faults.schedule import FaultSchedule
from ams_ros.simulation.plant import Plant
from ams_ros.types import Float64Array, JointSample, WrenchSample


class SensorTap:
    """Samples as they leave the driver. The controllers measure for themselves, as those of real drivers do."""

    def __init__(self, plant: Plant, faults: FaultSchedule) -> None:
        """Let everything through until a fault is on."""
        self._plant, self._faults = plant, faults
        self._last: JointSample | None = None
        self.joint_names = plant.joints().names

    def joints(self) -> JointSample | None:
        """The joint states due now, None while they are not published."""
        sample, faults = self._plant.joints(), self._faults
        if faults.empty:
            self._last = sample
            return sample
        now = sample.stamp
        if faults.on("drop_joint_states", now) or faults.on("driver_restart", now):
            return None
        frozen = faults.on("freeze_joint_states", now)
        if frozen is None or self._last is None:
            self._last = sample
        else:
            sample = replace(self._last, stamp=now) if frozen.target == CONTENT else self._last
        spoiled = faults.on("nan_samples", now)
        return sample if spoiled is None or spoiled.target == WRENCH else _without(sample, spoiled.target)

    def wrench(self) -> WrenchSample | None:
        """The wrench due now, None while it is not published."""
        sample, faults = self._plant.wrench(), self._faults
        if faults.empty:
            return sample
        if faults.on("drop_wrench", sample.stamp) or faults.on("driver_restart", sample.stamp):
            return None
        spoiled = faults.on("nan_samples", sample.stamp)
        if spoiled is not None and spoiled.target == WRENCH:
            return replace(sample, force=np.full(3, np.nan), torque=np.full(3, np.nan))
        return sample


def _without(sample: JointSample, joint: str) -> JointSample:
    """The sample with no number for one joint."""
    column = sample.names.index(joint)

    def spoil(values: Float64Array | None) -> Float64Array | None:
        if values is None:
            return None
        spoiled = values.copy()
        spoiled[column] = np.nan
        return spoiled

    position = sample.position.copy()
    position[column] = np.nan
    return replace(sample, position=position, velocity=spoil(sample.velocity), effort=spoil(sample.effort))
