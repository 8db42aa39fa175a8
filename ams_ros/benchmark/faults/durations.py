"""Whether checking sub-slices makes executions longer (spec row E3): the same slices with and without the guard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from ams_ros.policy.inference import SliceInference
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.guarded_robot import GuardedRobot, GuardOptions
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks.cubes import CubesTask
from ams_ros.supervision.course import slice_seed
from ams_ros.types import ActionSlice, SliceRequest

_SLICES = 16
"""Compared in each scene, from the task's begin."""


@dataclass(frozen=True, slots=True)
class DurationFigures:
    """Simulated seconds of the same slices, guarded and not; slices that an exception broke off are left out."""

    guarded: tuple[float, ...]
    direct: tuple[float, ...]

    def joined(self, other: DurationFigures) -> DurationFigures:
        """Both together."""
        return DurationFigures(self.guarded + other.guarded, self.direct + other.direct)

    def as_dictionary(self) -> dict[str, Any]:
        """The fields of the JSON form; ratios of with to without."""
        ratios = [one / other for one, other in zip(self.guarded, self.direct, strict=True)]
        return {
            "slices": len(ratios),
            "guarded_seconds": sum(self.guarded),
            "direct_seconds": sum(self.direct),
            "ratio_median": median(ratios) if ratios else None,
            "ratio_max": max(ratios, default=None),
        }


def slice_durations(
    inference: SliceInference, guarded: GuardedRobot, direct: SimulatedRobot, seeds: Iterable[int]
) -> DurationFigures:
    """Let both robots execute what is inferred for the guarded one, slice by slice, and take the time of each."""
    task, found = CubesTask(), DurationFigures((), ())
    for seed in seeds:
        guarded.reset(task.sample(seed, 1))
        direct.reset(task.sample(seed, 1))
        direct.advance(GuardOptions().settle)
        for index in range(_SLICES):
            request = SliceRequest(task.instruction, slice_seed(seed, index), "", index)
            action_slice = inference.infer(guarded.observe(task.instruction), request).slice
            part = action_slice.head(action_slice.execute)
            with_guard, without = _seconds(guarded, part), _seconds(direct, part)
            if with_guard is None or without is None:
                break
            found = found.joined(DurationFigures((with_guard,), (without,)))
    return found


def _seconds(robot: SimulatedRobot, action_slice: ActionSlice) -> float | None:
    """Simulated seconds of an execution, None for one that was broken off."""
    begin = robot.plant.time
    completed = robot.execute(action_slice, StopRequest()).completed
    return robot.plant.time - begin if completed else None
