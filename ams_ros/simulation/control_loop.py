"""The controllers of the simulated robot around its plant; the node and the in-process robot share it."""

from __future__ import annotations

from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.gripper_controller import GripperController, GripperSettings
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.trajectory_controller import ControllerSettings, TrajectoryController


def arm_settings(profile: RobotProfile) -> ControllerSettings:
    """The arm controller's defaults for this robot."""
    return ControllerSettings(profile.joint_names)


def gripper_settings(profile: RobotProfile) -> GripperSettings:
    """The gripper controller's defaults for this robot."""
    gripper = profile.gripper
    return GripperSettings(gripper.joint, gripper.lower, gripper.upper)


class ControlLoop:
    """Reads the plant, runs both controllers, writes their commands. For the plant's thread only."""

    def __init__(self, plant: Plant, arm: ControllerSettings, gripper: GripperSettings) -> None:
        """Take over a plant and hold what its servos hold."""
        self.plant = plant
        self.arm = TrajectoryController(arm)
        self.gripper = GripperController(gripper)
        self.arm.activate(plant.arm_command)

    def reset(self, layout: SceneLayout) -> None:
        """Build a scene; the arm stands at its start pose and is held there. Goals must have been ended before."""
        self.plant.reset(layout)
        self.arm.activate(self.plant.arm_command)

    @property
    def period(self) -> float:
        """Seconds between two updates."""
        return self.arm.settings.update_period

    def update(self) -> None:
        """One update at the plant's present time; while both controllers are idle it costs nothing."""
        if self.arm.idle and self.gripper.idle:
            return
        now, measured = self.plant.time, self.plant.joints()
        arm_command = self.arm.update(now, measured)
        if arm_command is not None:
            self.plant.command_arm(arm_command)
        if not self.gripper.idle:
            velocity = 0.0 if measured.velocity is None else float(measured.velocity[-1])
            effort = 0.0 if measured.effort is None else float(measured.effort[-1])
            finger = self.gripper.update(now, float(measured.position[-1]), velocity, effort)
            if finger is not None:
                self.plant.command_gripper(finger)
