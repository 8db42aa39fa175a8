"""From what the wrist sensor shows to what the world exerts on the gripper."""

from __future__ import annotations

import math

from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.state import RobotState

TARE_SAMPLES = 10
"""Samples in a row, the arm at rest, whose mean is the sensor's offset."""

NOT_TARED = "the sensor has no offset yet: the arm has not been at rest"
"""What every compensation says that has just begun."""

WRIST_FRAME = "wrist_ft_link"
"""The frame in which the weight behind the sensor is known: the last link's, at the last joint."""

_LARGEST = 1e9
"""N and N m. What is beyond counts as this much, so that no sum of it leaves the numbers."""

_PAYLOAD_SIDEWAYS = 0.5
"""N. A load that hangs pulls straight down; who pulls aside by more than this is not a load."""


class WrenchCompensation:
    """Takes offset and weight out of a wrench and smooths it.

    The offset is taken once, as soon as the arm is at rest (without joint samples: from the first samples), and kept
    until `forget`. The weight behind the sensor follows the arm's pose; what additionally hangs from the tip is weighed
    whenever the arm rests and nothing is under execution. Where the masses are not those of the real arm, or the
    sensor's frame is not `WRIST_FRAME`, there is the offset only, as `degraded` says.
    """

    def __init__(self, robot: WatchedRobot, smoothing: float, payload: float) -> None:
        """smoothing: time constant of the low-pass, s; 0 for none. payload: kg, the heaviest load that may hang."""
        self._robot, self._smoothing, self._heaviest = robot, smoothing, payload
        self._rest = robot.driver.rest.velocity
        self._tool = robot.dynamics.tool_mass if robot.driver.physical_inertia else 0.0
        self._lever = robot.dynamics.tool_com
        self._tip = robot.profile.tip_origin
        self.external = [0.0] * 6
        """Force, N, and torque, N m, in the sensor's frame, zero before the offset is known; do not keep the list."""
        self._placed = True
        self.forget()

    def forget(self) -> None:
        """Take the offset anew, as after a restart of the sensor."""
        self._offset, self._sum, self._count = [0.0] * 6, [0.0] * 6, 0
        self._payload, self._down, self._down_of = 0.0, (0.0, 0.0, 0.0), -math.inf
        self.reset()

    def reset(self) -> None:
        """Forget the past of the low-pass but keep the offset: an arm that was stopped may still lean on something."""
        self._stamp = -math.inf
        for axis in range(6):
            self.external[axis] = 0.0

    @property
    def tared(self) -> bool:
        """Whether the offset is known."""
        return self._count >= TARE_SAMPLES

    @property
    def degraded(self) -> str:
        """What is not compensated and why; empty when all is."""
        if not (self._robot.driver.physical_inertia and self._placed):
            return "the weight of the gripper is not known: its change with the pose counts as force"
        return "" if self.tared else NOT_TARED

    def update(self, state: RobotState) -> bool:
        """Take a wrench sample; whether `external` holds what it says."""
        fx, fy, fz = (min(max(value, -_LARGEST), _LARGEST) for value in state.force.tolist())
        tx, ty, tz = (min(max(value, -_LARGEST), _LARGEST) for value in state.torque.tolist())
        resting = self._resting(state)
        self._placed = state.frame == WRIST_FRAME
        known = self._placed and self._tool > 0.0 and state.joint_samples > 0
        if known:
            self._look_down(state)
            gravity = self._robot.dynamics.gravity_acceleration
            (x, y, z), (cx, cy, cz), (px, py, pz) = self._down, self._lever, self._tip
            tool, load = self._tool * gravity, self._payload * gravity
            fx, fy, fz = fx - (tool + load) * x, fy - (tool + load) * y, fz - (tool + load) * z
            mx, my, mz = tool * cx + load * px, tool * cy + load * py, tool * cz + load * pz
            tx, ty, tz = tx - (my * z - mz * y), ty - (mz * x - mx * z), tz - (mx * y - my * x)
        values = (fx, fy, fz, tx, ty, tz)
        if not self.tared:
            self._tare(values, resting)
            return False
        if known and resting and not state.executing:
            self._weigh(values)
        self._smooth(values, state.stamp)
        return True

    def _resting(self, state: RobotState) -> bool:
        return state.joint_samples == 0 or all(abs(speed) <= self._rest for speed in state.velocity.tolist())

    def _look_down(self, state: RobotState) -> None:
        if self._down_of != state.joints_arrival:
            self._down, self._down_of = self._robot.dynamics.down(state.position), state.joints_arrival

    def _tare(self, values: tuple[float, ...], resting: bool) -> None:
        if not resting:
            self._count = 0
            return
        if self._count == 0:
            self._sum = [0.0] * 6
        self._count += 1
        for axis in range(6):
            self._sum[axis] += values[axis]
            self._offset[axis] = self._sum[axis] / self._count

    def _weigh(self, values: tuple[float, ...]) -> None:
        """Follow a load that hangs from the tip, by a tenth of the difference with each sample at rest."""
        x, y, z = (values[axis] - self._offset[axis] for axis in range(3))
        dx, dy, dz = self._down
        pull = x * dx + y * dy + z * dz
        sideways = math.hypot(x - pull * dx, y - pull * dy, z - pull * dz)
        if sideways <= _PAYLOAD_SIDEWAYS:
            change = 0.1 * pull / self._robot.dynamics.gravity_acceleration
            self._payload = min(max(self._payload + change, 0.0), self._heaviest)

    def _smooth(self, values: tuple[float, ...], stamp: float) -> None:
        step = max(0.0, stamp - self._stamp)
        share = step / (step + self._smoothing) if math.isfinite(step) and step + self._smoothing > 0.0 else 1.0
        for axis in range(6):
            external = self.external[axis]
            self.external[axis] = external + share * (values[axis] - self._offset[axis] - external)
        self._stamp = stamp
