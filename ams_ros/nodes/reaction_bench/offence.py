"""The offending sample: when it left, when somebody's cancel came, when the arm stood."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from enum import Enum

import numpy as np

from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.faults.sensor_tap import SensorTap
from ams_ros.types import JointSample, WrenchSample

SPIKE = 500.0
"""N along z of the sensor; no work comes near it."""

_MOVING = 0.1
"""rad/s of the fastest joint from which on the arm is under way."""
_REST_SECONDS = 0.02
"""The arm stands when all joints were slow for so long; when it began counts."""
_PATIENCE = 2.0
"""s of simulation time after which an offence that nobody answered is given up."""


class MarkedTap(SensorTap):
    """The sensors of one who listens: silent while another one is measured, counted, one wrench spoiled on demand."""

    def __init__(self, loop: ControlLoop) -> None:
        """Silent at first."""
        super().__init__(loop.plant, loop.faults)
        self.flows = self.spoil_next = False
        self.joint_samples = self.wrenches = 0
        """Samples that left."""
        self.spoiled_at = math.nan
        """When the spoiled wrench was taken from the sensor to be published, s, steady clock."""

    def joints(self) -> JointSample | None:
        """See SensorTap."""
        sample = super().joints() if self.flows else None
        self.joint_samples += sample is not None
        return sample

    def wrench(self) -> WrenchSample | None:
        """See SensorTap."""
        sample = super().wrench() if self.flows else None
        if sample is None:
            return None
        self.wrenches += 1
        if not self.spoil_next:
            return sample
        self.spoil_next = False
        sample = replace(sample, force=sample.force + np.array((0.0, 0.0, SPIKE)))
        self.spoiled_at = time.monotonic()
        return sample


class _Stage(Enum):
    OVER = "over"
    WAITING_FOR_MOTION = "waiting for motion"
    WAITING = "waiting"
    STOPPING = "stopping"


class Offence:
    """One offending sample in one motion, from arming to the arm at rest. For the plant's thread but for `canceled`."""

    def __init__(self, tap: MarkedTap, rest_velocity: float) -> None:
        """tap: of the one who is to react. rest_velocity: rad/s, each joint."""
        self.tap, self._rest = tap, rest_velocity
        self._stage = _Stage.OVER
        self._canceled_at = math.nan
        self._told: Callable[[dict[str, object]], None] = lambda _: None

    def arm(self, wait: float, now: float, told: Callable[[dict[str, object]], None]) -> None:
        """Spoil a sample `wait` s after the arm has come under way, and tell what happened then.

        now: simulation time, s. told: is given "spoiled", "canceled", "rested", s on the steady clock, "pose",
        (dof,) rad, and "published", whether the sample left at all; without the times when nobody reacted.
        """
        self._wait, self._give_up, self._told = wait, now + _PATIENCE, told
        self.tap.spoiled_at = self._canceled_at = math.nan
        self._slow_since = self._slow_from = math.nan
        self._stage = _Stage.WAITING_FOR_MOTION

    def canceled(self) -> None:
        """A cancel has arrived; from any thread."""
        if math.isnan(self._canceled_at):
            self._canceled_at = time.monotonic()

    def look(self, loop: ControlLoop) -> None:
        """At every step of the physics."""
        if self._stage is _Stage.OVER:
            return
        now, measured = loop.plant.time, loop.plant.joints()
        assert measured.velocity is not None
        dof = len(loop.plant.profile.joints)
        speed = float(np.abs(measured.velocity[:dof]).max())
        if self._stage is _Stage.WAITING_FOR_MOTION and speed > _MOVING:
            self._stage, self._due = _Stage.WAITING, now + self._wait
        elif self._stage is _Stage.WAITING and now >= self._due:
            self._stage, self.tap.spoil_next = _Stage.STOPPING, True
        elif self._stage is _Stage.STOPPING:
            self._see_rest(speed, now)
        rested = not math.isnan(self._canceled_at) and now - self._slow_since >= _REST_SECONDS
        if rested or now >= self._give_up:
            self._stage = _Stage.OVER
            self._tell(measured.position[:dof].tolist(), rested=rested)

    def _see_rest(self, speed: float, now: float) -> None:
        if speed > self._rest:
            self._slow_since = math.nan
        elif math.isnan(self._slow_since):
            self._slow_since, self._slow_from = now, time.monotonic()

    def _tell(self, pose: list[float], *, rested: bool) -> None:
        times = {"spoiled": self.tap.spoiled_at, "canceled": self._canceled_at, "rested": self._slow_from}
        published = not math.isnan(self.tap.spoiled_at)
        self._told({"pose": pose, "published": published, **(times if rested else {})})
