"""The robot's present state as the rules see it: one record, overwritten in place with every sample."""

from __future__ import annotations

import numpy as np

from ams_ros.exception.plan import MotionPlan
from ams_ros.types import Float64Array


class RobotState:
    """Arrays are (dof,) float64 in the profile's joint order and keep their identity; SI units.

    Written by the detector only. Rules read it, and copy what they want to keep.
    """

    def __init__(self, dof: int) -> None:
        """Nothing measured yet."""
        self.stamp = -np.inf
        """Of the newest sample, s on the robot's clock."""
        self.joints_arrival = -np.inf
        """When the newest joint sample arrived, s, steady clock; -inf before the first."""
        self.wrench_arrival = -np.inf
        self.joint_samples = 0
        """Joint samples taken since the last reset."""
        self.period = 0.0
        """s between the stamps of the two newest joint samples."""
        self.position: Float64Array = np.zeros(dof)
        self.velocity: Float64Array = np.zeros(dof)
        """Measured where the robot does so, else the filtered difference of positions."""
        self.acceleration: Float64Array = np.zeros(dof)
        """Filtered difference of velocities."""
        self.effort: Float64Array = np.zeros(dof)
        """N m; zero where it is not measured."""
        self.gripper = np.nan
        """Finger position, m; NaN where it is not measured."""
        self.gripper_velocity = 0.0
        self.gripper_effort = 0.0
        self.frame = ""
        """Of the wrench."""
        self.force: Float64Array = np.zeros(3)
        """As measured, N, sensor frame."""
        self.torque: Float64Array = np.zeros(3)
        """As measured, N m, sensor frame."""
        self.plan: MotionPlan | None = None
        """Under execution; None while nothing is, or while what is under execution was not announced."""
        self.executing = False
        """Whether any goal is under execution, announced or not."""
        self.elapsed = 0.0
        """s on the robot's clock since the plan began."""
        self.step = -1
        """Step of the plan under way, 0-based; -1 without one."""
        self.sub_slice = -1
        self.reference: Float64Array = np.zeros(dof)
        """Where the plan says the joints are now: straight from the pose at its begin through its rows. Without a
        plan: where the joints were when the last one ended."""
        self.reference_velocity: Float64Array = np.zeros(dof)
        self.caution = 1.0
        """Factor on every limit: 1 for a task, less for a recovery."""

    def copy_from(self, other: RobotState) -> None:
        """Take over everything another state of the same arm holds."""
        for key, value in vars(other).items():
            if isinstance(value, np.ndarray):
                getattr(self, key)[:] = value
            else:
                setattr(self, key, value)
