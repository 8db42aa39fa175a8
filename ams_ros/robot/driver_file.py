"""Reading driver files: what config/drivers says about how a robot is reached and stopped, checked."""

from __future__ import annotations

from pathlib import Path

from ams_ros.errors import ConfigurationError
from ams_ros.resources import share_directory
from ams_ros.robot.driver import (
    DriverProfile,
    RestartStep,
    RestCriterion,
    SensorTopic,
    ServiceCall,
    ServiceKind,
    StopStep,
)
from ams_ros.robot.section import Section, read_section
from ams_ros.types import StopStage

_STAGES = {stage.value: stage for stage in StopStage if stage is not StopStage.NONE}
_KINDS = {kind.value: kind for kind in ServiceKind}
_CALLED = frozenset({StopStage.DRIVER_STOP, StopStage.DEACTIVATE})
"""The rungs that are a service of the driver's or the controller manager's; the others use the arm's action."""

_ARGUMENTS = {
    ServiceKind.SET_BOOL: ("true", "false"),
    ServiceKind.SWITCH_CONTROLLER: ("activate", "deactivate"),
    # The labels of a lifecycle node's transitions that a client may ask for.
    ServiceKind.CHANGE_STATE: ("configure", "cleanup", "activate", "deactivate", "shutdown"),
}


def load_driver(name: str) -> DriverProfile:
    """Read config/drivers/<name>.yaml. Raises ConfigurationError naming the key that is missing or wrong.

    The profile of the arm it names is not read, and need not exist.
    """
    known = driver_names()
    if name not in known:
        raise ConfigurationError("driver", name, ", ".join(known))
    return read_driver(_folder() / f"{name}.yaml")


def driver_names() -> tuple[str, ...]:
    """The drivers there are files for."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def _folder() -> Path:
    return share_directory() / "config" / "drivers"


def read_driver(path: Path) -> DriverProfile:
    """Read one driver file. Raises ConfigurationError naming the key that is missing or wrong."""
    root = read_section(path)
    root.only(
        *("name", "title", "robot", "joint_states", "wrench", "physical_inertia", "arm_action", "gripper_action"),
        *("stop", "rest", "restart", "by_hand"),
    )
    states = root.section("joint_states")
    states.only("topic", "rate", "velocity", "effort", "gripper")
    return DriverProfile(
        name=root.text("name"),
        title=root.text("title"),
        robot=root.text("robot"),
        joint_states=_topic(states),
        velocity=states.flag("velocity"),
        effort=states.flag("effort"),
        gripper_measured=states.flag("gripper"),
        physical_inertia=root.flag("physical_inertia"),
        wrench=_wrench(root),
        arm_action=root.text("arm_action"),
        gripper_action=root.text("gripper_action") if root.has("gripper_action") else "",
        stop=_stop(root),
        rest=_rest(root.section("rest")),
        restart=tuple(_restart(section) for section in root.sections("restart")),
        by_hand=root.text("by_hand"),
    )


def _wrench(root: Section) -> SensorTopic | None:
    if not root.has("wrench"):
        return None
    section = root.section("wrench")
    section.only("topic", "rate")
    return _topic(section)


def _topic(section: Section) -> SensorTopic:
    return SensorTopic(section.text("topic"), section.positive("rate"))


def _stop(root: Section) -> tuple[StopStep, ...]:
    steps = tuple(_stop_step(section) for section in root.sections("stop"))
    stages = [step.stage.value for step in steps]
    if not stages or len(set(stages)) != len(stages):
        raise ConfigurationError(f"{root.key}.stop", stages, f"at least one of {', '.join(_STAGES)}, each at most once")
    if stages == [StopStage.HOLD.value]:
        # Nobody can tell an arm to stay where it is when its joint states have fallen silent.
        raise ConfigurationError(
            f"{root.key}.stop", stages, "a stage besides hold, which needs to know where the arm is"
        )
    return steps


def _stop_step(section: Section) -> StopStep:
    section.only("stage", "deadline", "call")
    stage = _STAGES[section.choice("stage", _STAGES)]
    if stage not in _CALLED and section.has("call"):
        raise ConfigurationError(f"{section.key}.call", "a call", f"none: {stage.value} uses the arm's action")
    call = _call(section.section("call")) if stage in _CALLED else None
    return StopStep(stage, section.positive("deadline"), call)


def _call(section: Section) -> ServiceCall:
    section.only("service", "kind", "argument", "controllers")
    kind = _KINDS[section.choice("kind", _KINDS)]
    arguments = _ARGUMENTS.get(kind, ())
    if not arguments and section.has("argument"):
        raise ConfigurationError(f"{section.key}.argument", section.text("argument"), f"none for {kind.value}")
    controllers: tuple[str, ...] = ()
    if kind is ServiceKind.SWITCH_CONTROLLER:
        controllers = section.texts("controllers")
    elif section.has("controllers"):
        raise ConfigurationError(f"{section.key}.controllers", "a list", f"none for {kind.value}")
    return ServiceCall(
        service=section.text("service"),
        kind=kind,
        argument=section.choice("argument", arguments) if arguments else "",
        controllers=controllers,
    )


def _rest(section: Section) -> RestCriterion:
    section.only("velocity", "samples", "deadline")
    return RestCriterion(section.positive("velocity"), section.count("samples"), section.positive("deadline"))


def _restart(section: Section) -> RestartStep:
    section.only("call", "deadline", "settle")
    settle = section.number("settle")
    if settle < 0.0:
        raise ConfigurationError(f"{section.key}.settle", settle, "a number of at least 0")
    return RestartStep(_call(section.section("call")), section.positive("deadline"), settle)
