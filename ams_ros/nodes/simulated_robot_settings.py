"""Parameters of the simulated robot, and what the controllers make of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ams_ros.errors import ConfigurationError
from ams_ros.nodes.parameters import Setting
from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.control_loop import arm_settings, gripper_settings
from ams_ros.simulation.gripper_controller import GripperSettings
from ams_ros.simulation.trajectory_controller import ControllerSettings

ROBOT = Setting("robot", "widowx_250s", "robot profile under config/robots", read_only=True)

_GENERAL = (
    ROBOT,
    Setting(
        "speed",
        1.0,
        "simulated seconds per second; 0: as fast as possible, with topics thinned; not 1 needs use_sim_time",
        0.0,
        100.0,
    ),
    Setting("timestep", 0.002, "of the physics, s; a whole number of them makes 0.01 s", 0.0005, 0.005),
    Setting("joint_state_rate", 100.0, "joint states and wrenches, Hz; at most one for each timestep", 1.0, 1000.0),
    Setting("camera_rate", 10.0, "pictures of each camera that is listened to, Hz", 0.1, 60.0),
    Setting("camera_size", 128, "width and height of the pictures of the front and wrist camera, px", 16, 1080),
    Setting("overview_width", 480, "width of the overview camera's pictures, px", 16, 1920),
    Setting("overview_height", 360, "height of the overview camera's pictures, px", 16, 1080),
    Setting("task", "cubes", "task of the scene at start"),
    Setting("objects", 1, "objects in the scene at start", 1, 7),
    Setting("seed", 0, "seed of the scene at start", 0, 2**31 - 1),
    Setting("joint_states_topic", "/joint_states", "sensor_msgs/JointState of arm and gripper"),
    Setting("wrench_topic", "/wrench", "geometry_msgs/WrenchStamped of the wrist sensor"),
    Setting("camera_topic", "/camera/{camera}/image_raw", "sensor_msgs/Image; {camera} stands for the camera's name"),
    Setting("camera_info_topic", "/camera/{camera}/camera_info", "sensor_msgs/CameraInfo; {camera} as above"),
    Setting(
        "arm_action",
        "/arm_controller/follow_joint_trajectory",
        "control_msgs/FollowJointTrajectory of the arm",
    ),
    Setting("gripper_action", "/gripper_controller/gripper_cmd", "control_msgs/GripperCommand, finger in m"),
    Setting("result_timeout", 30.0, "how long a goal's result can be asked for after its end, s", 1.0, 900.0),
)

_ARM = (
    Setting("action_monitor_rate", 20.0, "feedback and results of goals, Hz", 0.1, 100.0),
    Setting("allow_partial_joints_goal", False, "take goals that leave joints out; these hold their command"),
    Setting("allow_nonzero_velocity_at_trajectory_end", False, "take goals whose last point moves"),
    Setting("interpolate_from_desired_state", False, "start from the last command instead of the measured state"),
    Setting("velocity_command_interface", False, "judge velocities too, as a controller that commands them does"),
    Setting("constraints.stopped_velocity_tolerance", 0.01, "velocity that counts as stopped, rad/s", 0.0, 10.0),
    Setting("constraints.goal_time", 0.0, "time past the end to reach the goal, s; 0: any time", 0.0, 3600.0),
    Setting("constraints.decelerate_on_cancel", False, "brake along max_deceleration_on_cancel instead of at once"),
)

_GRIPPER = (
    Setting("gripper.goal_tolerance", 0.001, "finger position error that counts as reached, m", 1e-5, 0.02),
    Setting("gripper.stall_velocity_threshold", 0.001, "finger speed below which it may be stalled, m/s", 1e-6, 1.0),
    Setting("gripper.stall_timeout", 0.3, "time below that speed that means stalled, s", 0.01, 10.0),
    Setting("gripper.allow_stalling", True, "a stall counts as success, as it does when grasping"),
)


def settings_for(profile: RobotProfile) -> tuple[Setting, ...]:
    """All parameters; the per-joint ones carry the profile's joint names, and its deadband is the default."""
    joints = tuple(
        setting
        for joint in profile.joints
        for setting in (
            Setting(f"constraints.{joint.name}.trajectory", 0.0, "path tolerance, rad; 0: none", 0.0, 10.0),
            Setting(f"constraints.{joint.name}.goal", 0.0, "goal tolerance, rad; 0: none", 0.0, 10.0),
            Setting(
                f"constraints.{joint.name}.max_deceleration_on_cancel",
                0.0,
                "deceleration when a goal is cancelled, rad/s^2",
                0.0,
                1000.0,
            ),
        )
    )
    told = "a servo ignores a new position closer than this to the one it holds, rad"
    deadband = Setting("deadband", profile.deadband, told, 0.0, 0.1)
    return (*_GENERAL, deadband, *_ARM, *joints, *_GRIPPER)


def check_rate(joint_state_rate: float, timestep: float) -> None:
    """Raise ConfigurationError for more joint states (Hz) than the physics has steps (s)."""
    if joint_state_rate * timestep > 1.0 + 1e-9:
        allowed = f"up to {1.0 / timestep:g} Hz with this timestep"
        raise ConfigurationError("joint_state_rate", joint_state_rate, allowed)


def arm_settings_from(setting: Callable[[str], Any], profile: RobotProfile) -> ControllerSettings:
    """The arm controller's settings from the node's parameters. Raises ConfigurationError when they contradict."""

    def per_joint(suffix: str) -> tuple[float, ...]:
        return tuple(setting(f"constraints.{joint}.{suffix}") for joint in profile.joint_names)

    decelerations = per_joint("max_deceleration_on_cancel") if setting("constraints.decelerate_on_cancel") else ()
    if any(value == 0.0 for value in decelerations):
        key = "constraints.<joint>.max_deceleration_on_cancel"
        raise ConfigurationError(key, decelerations, "above 0 for every joint, as decelerate_on_cancel is true")
    return replace(
        arm_settings(profile),
        action_monitor_rate=setting("action_monitor_rate"),
        allow_partial_joints_goal=setting("allow_partial_joints_goal"),
        allow_nonzero_velocity_at_trajectory_end=setting("allow_nonzero_velocity_at_trajectory_end"),
        interpolate_from_desired_state=setting("interpolate_from_desired_state"),
        velocity_command_interface=setting("velocity_command_interface"),
        path_tolerance=per_joint("trajectory"),
        goal_tolerance=per_joint("goal"),
        stopped_velocity_tolerance=setting("constraints.stopped_velocity_tolerance"),
        goal_time=setting("constraints.goal_time"),
        max_deceleration_on_cancel=decelerations,
    )


def gripper_settings_from(setting: Callable[[str], Any], profile: RobotProfile) -> GripperSettings:
    """The gripper controller's settings from the node's parameters."""
    return replace(
        gripper_settings(profile),
        goal_tolerance=setting("gripper.goal_tolerance"),
        stall_velocity_threshold=setting("gripper.stall_velocity_threshold"),
        stall_timeout=setting("gripper.stall_timeout"),
        allow_stalling=setting("gripper.allow_stalling"),
        action_monitor_rate=setting("action_monitor_rate"),
    )


def camera_topic(setting: Callable[[str], Any], key: str, camera: str) -> str:
    """A camera's topic; raises ConfigurationError when the parameter has no place for the camera's name."""
    pattern = str(setting(key))
    if "{camera}" not in pattern:
        raise ConfigurationError(key, pattern, "a topic name with {camera} in it")
    return pattern.replace("{camera}", camera)
