"""Evidence that something was pulled or pushed and gave way: force against the tip's motion (spec E2, apply force)."""

from __future__ import annotations

import math

import numpy as np

from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.state import RobotState
from ams_ros.exception.wrench_compensation import WrenchCompensation
from ams_ros.replay.task_description import PullEvidence
from ams_ros.types import Float64Array, JointSample, WrenchSample

_SMOOTHING = 0.02
"""Time constant of the external force's low-pass, s."""

_STRIDE = 0.03
"""s over which the tip's motion is looked at."""

_MOVING = 0.02
"""m/s below which the tip has no direction of motion."""

_RELAXED = 0.5
"""Share of the force below which a pull is over."""

_OVER = 0.2
"""s for which it must be."""

_LONGEST = 4.0
"""s from the force to the distance; what takes longer is leaning, not pulling."""

_BACK = 0.01
"""m against the pull after which it was given up."""


class PullWatch:
    """Follows force and tip while there is force; without, a wrench sample costs the compensation of its weight.

    Force comes from the wrist sensor, its offset taken while the arm rests and the gripper's weight taken out.
    """

    def __init__(self, evidence: PullEvidence, robot: WatchedRobot) -> None:
        """robot: its dynamics are used by nobody else at the same time."""
        self._evidence, self._robot = evidence, robot
        self._state = RobotState(len(robot.profile.joints))
        self._compensation = WrenchCompensation(robot, _SMOOTHING, payload=0.0)
        self._still: Float64Array = np.zeros(len(robot.profile.joints))
        self.begin_anew()

    def begin_anew(self) -> None:
        """Nothing is being pulled; the sensor's offset is taken anew."""
        self._compensation.forget()
        self._state.stamp, self._state.joint_samples = -math.inf, 0
        self.give_up()

    def give_up(self) -> None:
        """What was being pulled is not any more."""
        self._began, self._done, self._quiet_at = math.nan, False, math.nan
        self._before: tuple[float, Float64Array] | None = None
        self._from, self._along = np.zeros(3), np.zeros(3)

    @property
    def degraded(self) -> str:
        """What is not compensated and why; empty when all is."""
        return self._compensation.degraded

    def joints(self, sample: JointSample) -> None:
        """A joint sample, of which every number is one."""
        state, arm = self._state, sample.position[:-1]
        elapsed = sample.stamp - state.stamp
        if sample.velocity is not None:
            state.velocity[:] = np.nan_to_num(sample.velocity[:-1])
        elif 0.0 < elapsed < math.inf:
            state.velocity[:] = (arm - state.position) / elapsed
        state.position[:] = arm
        state.stamp, state.joints_arrival = sample.stamp, sample.stamp
        state.joint_samples += 1

    def wrench(self, sample: WrenchSample) -> str | None:
        """A wrench sample, of which every number is one; the job's message if one is done with it."""
        state = self._state
        if state.joint_samples == 0:
            return None
        state.frame, state.stamp = sample.frame, sample.stamp
        state.force[:], state.torque[:] = sample.force, sample.torque
        if not self._compensation.update(state):
            return None
        force = math.hypot(*self._compensation.external[:3])
        if math.isnan(self._began):
            if force < self._evidence.force:
                self._before = None
                return None
            self._feel(sample.stamp)
            return None
        return self._follow(sample.stamp, force)

    def _feel(self, stamp: float) -> None:
        """Whether the force that is there is against the tip's motion."""
        rotation, place = self._robot.dynamics.tip_pose(self._state.position)
        if self._before is None:
            self._before = stamp, place.copy()
            return
        began, before = self._before
        if stamp - began < _STRIDE:
            return
        self._before = stamp, place.copy()
        motion = place - before
        way = float(np.linalg.norm(motion))
        if way < _MOVING * (stamp - began):
            return
        resistance = -float(rotation @ np.array(self._compensation.external[:3]) @ motion) / way
        if resistance >= self._evidence.force:
            self._began, self._from, self._along = stamp, before, motion / way
            self._done, self._quiet_at = False, math.nan

    def _follow(self, stamp: float, force: float) -> str | None:
        """A pull is under way, or done and not yet let go of."""
        message = None
        if not self._done:
            _, place = self._robot.dynamics.tip_pose(self._state.position)
            pulled = float((place - self._from) @ self._along)
            if pulled < -_BACK or stamp - self._began > _LONGEST:
                self.give_up()
                return None
            if pulled >= self._evidence.distance:
                self._done = True
                needed = self._evidence.force
                message = f"what resisted with {needed:g} N or more was moved {pulled:.2f} m"
        if force >= _RELAXED * self._evidence.force:
            self._quiet_at = math.nan
        elif math.isnan(self._quiet_at):
            self._quiet_at = stamp
        elif self._done and stamp - self._quiet_at >= _OVER:
            self.give_up()
        return message
