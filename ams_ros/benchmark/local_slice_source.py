"""Slices inferred in the robot's own process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.types import Inference, Observation, SliceRequest


class Infers(Protocol):
    """Plain inference, or one that uses a pool."""

    def infer(self, observation: Observation, request: SliceRequest) -> Inference:
        """Infer one slice."""
        ...


def nothing() -> None:
    """Wait for nothing."""


class LocalSliceSource:
    """A policy in the same process as the robot; implements supervision.protocols.SliceSource."""

    def __init__(self, inference: Infers, robot: SimulatedRobot, wait: Callable[[], object] = nothing) -> None:
        """Infer with `inference` on what `robot` observes. wait: for what an executing arm gives time for."""
        self._inference, self._robot, self._wait = inference, robot, wait

    def infer(self, request: SliceRequest) -> Inference:
        """Observe now and infer one slice."""
        inference = self._inference.infer(self._robot.observe(request.instruction), request)
        self._wait()
        return inference
