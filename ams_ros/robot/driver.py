"""How a robot is reached and stopped: what its file under config/drivers says, checked and frozen.

The profile tells the arm, the driver file tells the software in front of it; one arm may have several.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ams_ros.types import StopStage


class ServiceKind(Enum):
    """The type of a service that stops or restarts a robot, by the names used in driver files."""

    TRIGGER = "std_srvs/srv/Trigger"
    EMPTY = "std_srvs/srv/Empty"
    SET_BOOL = "std_srvs/srv/SetBool"
    CHANGE_STATE = "lifecycle_msgs/srv/ChangeState"
    SWITCH_CONTROLLER = "controller_manager_msgs/srv/SwitchController"


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """One call of a service.

    argument: for SET_BOOL true or false, for CHANGE_STATE the transition's label, for SWITCH_CONTROLLER activate or
    deactivate, of `controllers`; else empty.
    """

    service: str
    kind: ServiceKind
    argument: str = ""
    controllers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StopStep:
    """One rung of the stop ladder.

    deadline: s for its acknowledgement; past it, or when it is refused, the next rung is tried. call: of DRIVER_STOP
    and DEACTIVATE, None for CANCEL and HOLD, which use the arm's action.
    """

    stage: StopStage
    deadline: float
    call: ServiceCall | None = None


@dataclass(frozen=True, slots=True)
class RestCriterion:
    """When the arm counts as standing still: no joint faster than `velocity` in `samples` joint samples in a row.

    velocity: rad/s. deadline: s from the acknowledgement of a rung to rest; past it the next rung is tried.
    """

    velocity: float
    samples: int
    deadline: float


@dataclass(frozen=True, slots=True)
class RestartStep:
    """One service call of a restart, answered within `deadline` s, after which the robot is given `settle` s."""

    call: ServiceCall
    deadline: float
    settle: float


@dataclass(frozen=True, slots=True)
class SensorTopic:
    """A topic the driver publishes, at `rate` Hz."""

    topic: str
    rate: float


@dataclass(frozen=True, slots=True)
class DriverProfile:
    """One robot behind one driver.

    robot: name of the arm's profile. velocity, effort: whether the joint states carry them, effort in N m. wrench:
    None without a sensor. gripper_measured: whether the joint states hold the gripper joint. gripper_action: empty
    without a gripper. physical_inertia: whether the profile's masses and inertias are those of the real arm.
    stop: the rungs in the order they are tried, at least one. restart: steps that bring the arm back after a
    collision; empty when a person has to, as `by_hand` tells.
    """

    name: str
    title: str
    robot: str
    joint_states: SensorTopic
    velocity: bool
    effort: bool
    gripper_measured: bool
    physical_inertia: bool
    wrench: SensorTopic | None
    arm_action: str
    gripper_action: str
    stop: tuple[StopStep, ...]
    rest: RestCriterion
    restart: tuple[RestartStep, ...]
    by_hand: str
