"""Recovery as a node sets it up: its parameters, and what is made of them."""

from __future__ import annotations

from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.parameters import Setting
from ams_ros.recovery.atom_buffer import AtomSettings
from ams_ros.recovery.handling import HandlingSettings
from ams_ros.recovery.planner import CollisionChecker, Planner
from ams_ros.recovery.recovery import Recovery, RecoverySettings
from ams_ros.recovery.rollback import RollbackSettings
from ams_ros.robot.driver import DriverProfile
from ams_ros.robot.profile import load_profile
from ams_ros.robot.recoverable import RecoverableRobot

_DEFAULT = RecoverySettings()

RECOVERY_SETTINGS = (
    Setting("surroundings", "table_and_bowl", "file under config/surroundings: what a recovery motion keeps clear of"),
    Setting("recovery.scale", _DEFAULT.scale, "of the profile's speed and acceleration, to the safe pose", 0.01, 1.0),
    Setting("recovery.plan_timeout", _DEFAULT.plan_timeout, "for finding a way to the safe pose, s", 0.1, 60.0),
    Setting("recovery.joints_wait", _DEFAULT.joints_wait, "joint states are waited for, s", 0.1, 60.0),
    Setting(
        "recovery.reached", _DEFAULT.reached, "any joint may be away from a motion's goal after it, rad", 0.001, 1.0
    ),
    Setting("recovery.rollback.scale", _DEFAULT.rollback.scale, "as recovery.scale, on the way back", 0.01, 1.0),
    Setting(
        "recovery.rollback.retreat", _DEFAULT.rollback.retreat, "the tip first withdraws from a contact, m", 0.0, 0.1
    ),
    Setting("recovery.atoms.capacity", _DEFAULT.atoms.capacity, "atoms of motion kept", 256, 1_000_000),
    Setting("recovery.window", _DEFAULT.handling.window, "within which exceptions count together, s", 1.0, 100_000.0),
    Setting("recovery.per_window", _DEFAULT.handling.per_window, "exceptions handled in that time", 1, 100_000),
    Setting("recovery.per_task", _DEFAULT.handling.per_task, "exceptions handled in one task", 1, 100_000),
    Setting(
        "recovery.restart_after",
        _DEFAULT.handling.restart_after,
        "so many unreachable states, or crashes, in that time restart the robot",
        1,
        100_000,
    ),
)


def make_recovery(
    node: AmsNode, robot: RecoverableRobot, planner: Planner, checker: CollisionChecker, driver: DriverProfile
) -> Recovery:
    """Recovery of that robot as the node's parameters say; raises ConfigurationError for one that cannot be used."""
    handling = ("window", "per_window", "per_task", "restart_after")
    settings = RecoverySettings(
        atoms=AtomSettings(capacity=node.setting("recovery.atoms.capacity")),
        rollback=RollbackSettings(node.setting("recovery.rollback.scale"), node.setting("recovery.rollback.retreat")),
        handling=HandlingSettings(**{name: node.setting(f"recovery.{name}") for name in handling}),
        **{name: node.setting(f"recovery.{name}") for name in ("scale", "plan_timeout", "joints_wait", "reached")},
    )
    return Recovery(robot, planner, checker, load_profile(driver.robot), driver, settings=settings)
