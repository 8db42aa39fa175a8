"""Feeds one rule with samples, made up or from the simulated plant, as the detector would."""

from __future__ import annotations

import numpy as np
from watched_arm import PERIOD, PROFILE, plan

from ams_ros.exception.rule import Rule, Violation
from ams_ros.exception.state import RobotState
from ams_ros.simulation.plant import Plant
from ams_ros.types import Float64Array

STILL = np.zeros(len(PROFILE.joints))


class Feed:
    """One state, one rule; `fired` collects what the rule says, `highest` is its largest margin."""

    def __init__(self, rule: Rule, position: Float64Array = PROFILE.start, frame: str = "wrist_ft_link") -> None:
        self.rule, self.state, self.fired = rule, RobotState(len(PROFILE.joints)), list[Violation]()
        self.state.stamp, self.state.frame = 10.0, frame
        self.highest = 0.0
        self.state.position[:] = position

    def joints(self, position: Float64Array, velocity: Float64Array = STILL, effort: Float64Array = STILL) -> None:
        """A joint sample, one PERIOD after the one before."""
        state = self.state
        state.period = PERIOD if state.joint_samples else 0.0
        state.stamp += PERIOD
        state.joints_arrival, state.joint_samples = state.stamp, state.joint_samples + 1
        state.position[:], state.velocity[:], state.effort[:] = position, velocity, effort
        self._take(self.rule.joints(state))

    def wrench(self, force: Float64Array, torque: Float64Array | None = None, step: float = 0.0) -> None:
        """A wrench sample, `step` s after the newest sample."""
        self.state.stamp += step
        self.state.force[:] = force
        self.state.torque[:] = np.zeros(3) if torque is None else torque
        self._take(self.rule.wrench(self.state))

    def plant(self, plant: Plant, seconds: float, goal: Float64Array | None = None) -> None:
        """Both sensors at 100 Hz while the plant moves straight to `goal`, or holds; with a plan that says so."""
        begin, samples = plant.arm_command, round(seconds / PERIOD)
        goal = begin if goal is None else goal
        self.state.plan, self.state.executing = plan(np.array([goal]), begin, seconds), True
        self.rule.begin(self.state)
        for sample in range(1, samples + 1):
            self.state.reference[:] = begin + (goal - begin) * sample / samples
            plant.command_arm(self.state.reference)
            plant.advance(PERIOD)
            read, wrench = plant.joints(), plant.wrench()
            self.joints(read.position[:-1], read.velocity[:-1], read.effort[:-1])
            self.wrench(wrench.force, wrench.torque)

    def _take(self, found: Violation | None) -> None:
        self.highest = max(self.highest, self.rule.margin)
        if found is not None:
            self.fired.append(found)
