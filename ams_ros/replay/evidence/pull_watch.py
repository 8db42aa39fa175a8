"""Evidence that something was pulled or pushed and gave way: force against the tip's motion (spec E2, apply force)."""

from __future__ import annotations

import math

import numpy as np

from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.state import RobotState
from ams_ros.exception.wrench_compensation import WrenchCompensation
from ams_ros.replay.task_description import PullEvidence
from ams_ros.types import Float64Array, JointSample, WrenchSample

_SMOOTHING = 0.05
"""Time constant of the external force's low-pass, s."""

_STRIDE = 0.03
"""s over which the tip's motion is looked at."""

_MOVING = 0.02
"""m/s below which the tip has no direction of motion."""

_RELAXED = 0.5
"""Share of the force below which there is none."""

_PAUSE, _APART = 0.2, 0.4
"""s without force after which a pull was given up, and after which the next one is another: what falls may be touched
once more."""


class PullWatch:
    """Follows force and tip while there is force; without, a wrench sample costs the compensation of its weight.

    A pull begins where the tip first meets the evidence's force against its motion. It is done when the tip has come
    the evidence's distance from there, and the force on the whole way was the evidence's on average: the gripper's own
    inertia resists as much, but not as far. Until the force has gone it stays the same pull. Force comes from the
    wrist sensor, its offset taken while the arm rests and the gripper's weight taken out. While what moves is not the
    policy nothing counts: on its way back the hand may drag along what it has just pulled.
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
        self._suspended = False
        self.give_up()

    def suspend(self) -> None:
        """What moves from now on is not the policy: nothing is a pull until `resume`."""
        self._suspended = True
        self.give_up()

    def resume(self) -> None:
        """The policy moves the arm again."""
        self._suspended = False

    def give_up(self) -> None:
        """What was being pulled is not any more."""
        self._pulling, self._done, self._quiet_at = False, False, math.nan
        self._work, self._way = 0.0, 0.0
        self._before: tuple[float, Float64Array] | None = None
        self._from: Float64Array = np.zeros(3)

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
        if not self._compensation.update(state) or self._suspended:
            return None
        force = math.hypot(*self._compensation.external[:3])
        self._quieten(sample.stamp, force)
        if force < self._evidence.force and not self._pulling:
            self._before = None
            return None
        return self._follow(sample.stamp)

    def _quieten(self, stamp: float, force: float) -> None:
        """End a pull whose force has gone."""
        if force >= _RELAXED * self._evidence.force:
            self._quiet_at = math.nan
        elif math.isnan(self._quiet_at):
            self._quiet_at = stamp
        elif self._pulling and stamp - self._quiet_at >= (_APART if self._done else _PAUSE):
            self.give_up()

    def _follow(self, stamp: float) -> str | None:
        """Add the stretch the tip has come since it was looked at last to the pull; its message if it is done now."""
        rotation, place = self._robot.dynamics.tip_pose(self._state.position)
        if self._before is None:
            self._before = stamp, place.copy()
            return None
        began, before = self._before
        if self._done or stamp - began < _STRIDE:
            return None
        self._before = stamp, place.copy()
        motion = place - before
        way = float(np.linalg.norm(motion))
        work = -float(rotation @ np.array(self._compensation.external[:3]) @ motion)
        if not self._pulling:
            if way < _MOVING * (stamp - began) or work < self._evidence.force * way:
                return None
            self._pulling, self._from, self._work, self._way = True, before, 0.0, 0.0
        self._work += work
        self._way += way
        moved = math.dist(place.tolist(), self._from.tolist())
        if moved < self._evidence.distance or self._work < self._evidence.force * self._way:
            return None
        self._done = True
        return f"what resisted with {self._work / self._way:.1f} N on average was moved {moved:.2f} m"
