"""What the task loop is given besides a robot."""

from __future__ import annotations

from typing import Protocol

from ams_ros.types import Inference, SliceRequest


class SliceSource(Protocol):
    """Where slices come from: the inference node over ROS, or a policy in the same process."""

    def infer(self, request: SliceRequest) -> Inference:
        """Infer one slice from the freshest observation.

        Raises InferenceError when none can be had now, ConfigurationError when the instruction cannot be served.
        """
        ...


class Clock(Protocol):
    """The time a task is measured in."""

    def now(self) -> float:
        """Seconds since some fixed moment; never runs backwards while a task runs."""
        ...
