"""The controllers of the simulated robot around its plant; the node and the in-process robot share it."""

from __future__ import annotations

from collections.abc import Callable

from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.faults.fault import CANCELS, Fault
from ams_ros.simulation.faults.mischief import Mischief
from ams_ros.simulation.faults.schedule import FaultSchedule
from ams_ros.simulation.faults.sensor_tap import SensorTap
from ams_ros.simulation.gripper_controller import GripperController, GripperSettings
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.trajectory_controller import ControllerSettings, Feedback, GoalEnd, TrajectoryController

RESTART_SECONDS = 1.0
"""Simulation time a restart of the driver takes."""


def arm_settings(profile: RobotProfile) -> ControllerSettings:
    """The arm controller's defaults for this robot."""
    return ControllerSettings(profile.joint_names)


def gripper_settings(profile: RobotProfile) -> GripperSettings:
    """The gripper controller's defaults for this robot."""
    gripper = profile.gripper
    return GripperSettings(gripper.joint, gripper.lower, gripper.upper)


class ControlLoop:
    """Reads the plant, runs both controllers, writes their commands, and lets things go wrong when asked to.

    For the plant's thread only, except `refuses`.
    """

    def __init__(self, plant: Plant, arm: ControllerSettings, gripper: GripperSettings) -> None:
        """Take over a plant and hold what its servos hold."""
        self.plant = plant
        self.arm = TrajectoryController(arm)
        self.gripper = GripperController(gripper)
        self.faults = FaultSchedule(plant.profile)
        self.tap = SensorTap(plant, self.faults)
        self._mischief = Mischief()
        self._lost: tuple[GoalEnd, ...] = ()
        self._back: list[Callable[[], None]] = []
        self._now = plant.time
        self.arm.activate(plant.arm_command)

    def reset(self, layout: SceneLayout) -> None:
        """Build a scene; the arm stands at its start pose and is held there, every fault is over.

        Goals must have been ended before.
        """
        self.end_faults()
        self._mischief.since.clear()
        self.plant.reset(layout)
        self.activate()

    @property
    def period(self) -> float:
        """Seconds between two updates."""
        return self.arm.settings.update_period

    def update(self) -> None:
        """One update at the plant's present time; while both controllers are idle it costs nothing."""
        if not self.faults.empty:
            self._turn_faults()
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

    @property
    def arm_silent(self) -> bool:
        """Whether the arm neither moves nor has anything to tell."""
        return self.arm.idle and not self._lost

    def monitor_arm(self) -> tuple[Feedback | None, tuple[GoalEnd, ...]]:
        """What clients of the arm are to be told now; of goals that ended with the driver, not before it is back."""
        feedback, ends = self.arm.monitor(self.plant.time)
        if self.gone:
            return feedback, ends
        lost, self._lost = self._lost, ()
        return feedback, lost + ends

    @property
    def gone(self) -> bool:
        """Whether the driver is away, by a restart or a fault. May be asked from any thread."""
        return self.faults.on("driver_restart", self._now) is not None

    # Stopping.

    def refuses(self, what: str) -> bool:
        """Whether a fault makes the driver refuse CANCELS or GOALS now. May be asked from any thread."""
        fault = self.faults.on("refuse_cancel", self._now)
        return self.gone or (fault is not None and what in (CANCELS, fault.target))

    def cancel_arm(self, goal: int) -> None:
        """Cancel a goal whose cancel request was accepted; a fault may leave it at that."""
        if self.faults.on("ignore_cancel", self.plant.time) is None:
            self.arm.cancel(goal)

    def stop(self) -> None:
        """The driver's own stop: every goal is aborted, arm and fingers hold where they are; goals are taken again."""
        self.arm.stop("Goal ended because the driver was told to stop.")
        self.gripper.stop()

    def activate(self) -> None:
        """Hold what the servos hold and take goals."""
        self.arm.activate(self.plant.arm_command)
        self.gripper.active = True

    def deactivate(self, reason: str) -> None:
        """Stop taking goals; running ones are aborted for `reason`, as `monitor_arm` tells."""
        self._lost += self.arm.deactivate(reason)
        self.gripper.abort()
        self.gripper.active = False

    def restart(self, back: Callable[[], None]) -> None:
        """Let the driver go, as the fault driver_restart does, and come back; then `back` is called."""
        self.faults.add(Fault("driver_restart", duration=RESTART_SECONDS), self.plant.time)
        self._turn_faults()
        self._back.append(back)

    # Faults.

    def end_faults(self) -> None:
        """End all faults, also those to come."""
        self.faults.end_all()
        self._turn_faults()

    def effective_since(self, fault: str) -> float | None:
        """Simulation time (s) since when a fault had its effect; an obstacle once it was touched.

        None when it had none since the last reset.
        """
        return self._mischief.since.get(fault)

    def _turn_faults(self) -> None:
        self._now = now = self.plant.time
        ended, begun = self.faults.turn(now)
        for fault in ended:
            self._mischief.end(fault, self.plant.disturbances)
            if fault.name == "driver_restart":
                self.activate()
                for back in self._back:
                    back()
                self._back.clear()
        for fault in begun:
            self._mischief.begin(fault, self.plant.disturbances, now)
            if fault.name == "driver_restart":
                self.deactivate("Goal ended because the driver went away.")
        self._mischief.keep_up(self.plant.disturbances, now)
