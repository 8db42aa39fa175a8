"""Where the slices of one scored episode come from, and what there was to see on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from ams_ros.benchmark.local_slice_source import Infers, nothing
from ams_ros.benchmark.troubles import Troublemaker
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.types import Inference, SliceRequest


class EpisodeSource:
    """A policy in the same process as the robot; implements supervision.protocols.SliceSource."""

    def __init__(
        self,
        inference: Infers,
        robot: SimulatedRobot,
        troublemaker: Troublemaker,
        wait: Callable[[], object] = nothing,
    ) -> None:
        """Infer with `inference` on what `robot` observes. wait: for what an executing arm gives time for."""
        self._inference, self._robot, self._troublemaker, self._wait = inference, robot, troublemaker, wait
        self.stages: defaultdict[str, float] = defaultdict(float)
        """Seconds so far, by stage."""

    def infer(self, request: SliceRequest) -> Inference:
        """Observe now and infer one slice."""
        off = self._troublemaker.turn()
        inference = self._inference.infer(self._robot.observe(request.instruction), request)
        self._wait()
        for stage in inference.stages:
            self.stages[stage.stage] += stage.seconds
        if off is None:
            return inference
        return replace(inference, slice=replace(inference.slice, joints=inference.slice.joints + off))

    @property
    def seconds(self) -> float:
        """All stages so far."""
        return sum(self.stages.values())


class WorkClock:
    """The time a real robot would have taken: simulated motion and, one after the other, inference."""

    def __init__(self, plant: Plant, source: EpisodeSource) -> None:
        """Of one episode."""
        self._plant, self._source = plant, source

    def now(self) -> float:
        """Seconds since some fixed moment."""
        return self._plant.time + self._source.seconds
