"""Faults at work on the plant: begun, kept up and ended as their schedule says."""

from __future__ import annotations

import numpy as np

from ams_ros.simulation.faults.disturbances import OBSTACLE_SIDE, Disturbances
from ams_ros.simulation.faults.fault import ABOVE_TABLE, Fault
from ams_ros.types import Float64Array

_MOVING = 0.05
"""Slower than this (m/s) the tip goes nowhere an obstacle could be put."""

_STEP, _FARTHEST = 0.005, 0.25
"""How the obstacle looks for a free place ahead of the tip, m."""


class Mischief:
    """The physical faults: push, obstacle, slippery, stuck_joint, torque_saturation."""

    def __init__(self) -> None:
        """Nothing is disturbed."""
        self._waiting: Fault | None = None
        self._placed = False
        self.since: dict[str, float] = {}
        """Simulation time (s) since when each fault has had its effect: an obstacle once it is touched."""

    def begin(self, fault: Fault, plant: Disturbances, now: float) -> None:
        """Start one; faults of other kinds are none of its business."""
        self.since.pop(fault.name, None)
        match fault.name:
            case "push":
                direction: Float64Array = np.asarray(fault.direction, dtype=np.float64)
                plant.push(fault.target, fault.magnitude * direction / np.linalg.norm(direction))
            case "slippery":
                plant.slick(fault.magnitude)
            case "stuck_joint":
                plant.jam(fault.target, fault.magnitude)
            case "torque_saturation":
                plant.weaken(fault.magnitude, fault.target)
            case "obstacle":
                self._waiting, self._placed = fault, False
                return
        self.since[fault.name] = now

    def keep_up(self, plant: Disturbances, now: float) -> None:
        """Put an obstacle that waits for a motion into its way; notice when it is touched."""
        if self._waiting is not None and _place(self._waiting, plant):
            self._waiting, self._placed = None, True
        if self._placed and "obstacle" not in self.since and plant.obstacle_touched():
            self.since["obstacle"] = now

    def end(self, fault: Fault, plant: Disturbances) -> None:
        """Undo one."""
        match fault.name:
            case "push":
                plant.push(fault.target, np.zeros(3))
            case "slippery":
                plant.regrip()
            case "stuck_joint":
                plant.free_joints()
            case "torque_saturation":
                plant.strengthen()
            case "obstacle":
                self._waiting, self._placed = None, False
                plant.take_obstacle_away()


def _place(fault: Fault, plant: Disturbances) -> bool:
    """Put the box where it belongs, if that place is free and, for one ahead, the arm goes somewhere."""
    if fault.target == ABOVE_TABLE:
        return plant.place_obstacle(plant.above_table, fault.magnitude)
    velocity, tip = plant.tip_velocity(), plant.tip()
    speed = float(np.linalg.norm(velocity))
    if speed < _MOVING:
        return False
    for ahead in np.arange(OBSTACLE_SIDE / 2, _FARTHEST, _STEP):
        centre = tip + ahead * velocity / speed
        if centre[2] > 0.0 and plant.place_obstacle(centre, fault.magnitude):
            return True
    return False
