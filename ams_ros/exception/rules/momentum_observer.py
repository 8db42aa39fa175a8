"""Collision (#1): a torque moves the arm, or holds it back, that no motor makes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ams_ros.exception.per_joint import for_each_joint
from ams_ros.exception.persistence import JointDurations
from ams_ros.exception.rule import JointRule, Need, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.exception.wrench_compensation import WrenchCompensation
from ams_ros.types import Evidence, ExceptionKind, Severity

_PAPER = "De Luca et al. 2006, Collision detection and safe reaction with the DLR-III lightweight manipulator arm"


@dataclass(frozen=True, slots=True)
class MomentumObserverSettings:
    """Thresholds of `MomentumObserver`."""

    residual: float | tuple[float, ...] = limit(
        0.25,
        "",
        0.01,
        100.0,
        "largest external torque, as a share of the joint's limit",
        source="simulated WidowX: clean runs up to 0.22, 20 N on the forearm 0.2 to 0.6",
        learned=True,
        per_joint=True,
    )
    gain: float = limit(30.0, "1/s", 1.0, 1000.0, "how fast the observer follows", source=_PAPER)
    duration: float = limit(0.05, "s", 0.0, 10.0, "time above the limit that counts")
    release: float = limit(0.9, "", 0.1, 1.0, "share of the limit below which the collision has ended")
    creep: float = limit(0.02, "rad/s", 0.001, 1.0, "speed at which friction is taken to be fully there")
    gap: float = limit(0.2, "s", 0.01, 10.0, "gap between two samples after which the observer starts afresh")

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, MomentumObserver.name)


class MomentumObserver(JointRule):
    """Residual r = K (p - integral(tau - friction + C^T v - g + w + r)), which follows the external torque.

    p is the generalised momentum, tau the measured effort, friction what the profile says, and w the torque of what the
    wrist sensor shows, where there is one: the rules of the wrench judge that, this one the rest of the arm. Integrated
    implicitly, so that no gain and no rate make it swing.
    """

    name = "momentum_observer"
    kind = ExceptionKind.COLLISION
    severity = Severity.SERIOUS
    needs = frozenset({Need.VELOCITY, Need.EFFORT, Need.DYNAMICS})
    Settings = MomentumObserverSettings

    def __init__(self, settings: MomentumObserverSettings, robot: WatchedRobot) -> None:
        """settings: thresholds, those per joint in the profile's order."""
        super().__init__(settings, robot)
        joints = robot.profile.joints
        shares = self._shares = for_each_joint(settings.residual, len(joints), f"rules.{self.name}.residual")
        self._limits = [share * joint.effort for share, joint in zip(shares, joints, strict=True)]
        self._friction = [(joint.damping, joint.friction) for joint in joints]
        self._compensation = WrenchCompensation(robot, 0.0, 0.0)
        self._wrench, self._wrench_stamp = np.zeros(6), -math.inf
        self._torque = [0.0] * len(joints)
        self._integral, self.residual = [0.0] * len(joints), [0.0] * len(joints)
        """The residual, (dof,) N m, for plots and calibration."""
        self._margins = [0.0] * len(joints)
        self._durations = JointDurations(len(joints), settings.duration, settings.release)
        self._begun = False

    @property
    def debounce(self) -> JointDurations:
        """See `Rule`."""
        return self._durations

    def compared(self) -> Mapping[str, Sequence[float]]:
        """See `Rule`."""
        return {"residual": [margin * share for margin, share in zip(self._margins, self._shares, strict=True)]}

    @property
    def degraded(self) -> str:
        """What this rule does without; empty when nothing."""
        alone = self.robot.driver.wrench is None
        return (
            "without a wrench sensor, contact of the gripper counts as well" if alone else self._compensation.degraded
        )

    def reset(self) -> None:
        """Start afresh with the next sample."""
        self._begun, self.margin = False, 0.0
        self._compensation.reset()
        self._durations.clear()

    def wrench(self, state: RobotState) -> Violation | None:
        """Keep what the wrist sensor explains."""
        if self._compensation.update(state):
            self._wrench[:] = self._compensation.external
            self._wrench_stamp = state.stamp
        return None

    def joints(self, state: RobotState) -> Violation | None:
        """Let the observer follow, then compare."""
        dynamics = self.robot.dynamics
        momentum, drift = dynamics.momentum(state.position, state.velocity)
        if state.stamp - self._wrench_stamp <= self.settings.gap:
            drift += dynamics.wrist_torque(state.position, self._wrench)
        if state.period > self.settings.gap:
            self._begun = False
        self._follow(momentum.tolist(), drift.tolist(), state)
        self._compare(state.caution)
        joint = self._durations.lasting(self._margins, state.stamp)
        if joint < 0:
            return None
        name = self.robot.profile.joints[joint].name
        torque, largest = self.residual[joint], self._limits[joint] * state.caution
        return self.violation(
            state, f"a torque from outside turns joint {name}", Evidence(f"residual.{name}", torque, largest, "N m")
        )

    def _compare(self, caution: float) -> None:
        for joint, (residual, largest) in enumerate(zip(self.residual, self._limits, strict=True)):
            margin = abs(residual) / (largest * caution)
            # No number comes of absurd velocities only; that must not pass for a small residual.
            self._margins[joint] = math.inf if math.isnan(margin) else margin
        self.margin = max(self._margins)

    def _follow(self, momentum: list[float], drift: list[float], state: RobotState) -> None:
        gain, step, creep = self.settings.gain, state.period, self.settings.creep
        share = gain / (1.0 + gain * step)
        effort, velocity = state.effort.tolist(), state.velocity.tolist()
        for joint, (damping, friction) in enumerate(self._friction):
            speed = velocity[joint]
            lost = damping * speed + friction * max(-1.0, min(1.0, speed / creep))
            torque = effort[joint] - lost + drift[joint]
            if self._begun:
                known = 0.5 * (torque + self._torque[joint]) * step
                residual = share * (momentum[joint] - self._integral[joint] - known)
                self._integral[joint] += known + residual * step
            else:
                self._integral[joint], residual = momentum[joint], 0.0
            self.residual[joint], self._torque[joint] = residual, torque
        self._begun = True
