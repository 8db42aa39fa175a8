"""Driver files: what the shipped ones say; a wrong one is refused with the key, the value and what is allowed."""

from pathlib import Path
from typing import Any

import pytest
from changed_file import changed_file

from ams_ros.errors import ConfigurationError
from ams_ros.resources import share_directory
from ams_ros.robot.driver import ServiceCall, ServiceKind
from ams_ros.robot.driver_file import load_driver, read_driver
from ams_ros.robot.profile import load_profile
from ams_ros.types import StopStage

FOLDER = share_directory() / "config" / "drivers"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_driver_can_be_read_and_carries_its_file_name(name: str) -> None:
    driver = load_driver(name)
    assert driver.name == name
    assert driver.by_hand


def test_the_simulated_widowx_is_stopped_by_all_four_rungs_in_the_order_of_e7() -> None:
    driver = load_driver("simulated_widowx")
    assert [step.stage for step in driver.stop] == [
        StopStage.CANCEL,
        StopStage.HOLD,
        StopStage.DRIVER_STOP,
        StopStage.DEACTIVATE,
    ]
    assert driver.stop[2].call == ServiceCall("simulated_robot/stop", ServiceKind.TRIGGER)
    assert driver.stop[3].call == ServiceCall("simulated_robot/change_state", ServiceKind.CHANGE_STATE, "deactivate")
    assert driver.wrench is not None
    assert driver.velocity
    assert driver.effort
    assert load_profile(driver.robot).name == "widowx_250s"


def test_jakas_ladder_never_cancels_nor_sends_a_second_goal() -> None:
    driver = load_driver("jaka_s5")
    assert [step.stage for step in driver.stop] == [StopStage.DRIVER_STOP]
    assert driver.stop[0].call == ServiceCall("/jaka_driver/stop_move", ServiceKind.EMPTY)


def test_the_interbotix_ladder_ends_with_its_controller_deactivated_and_never_drops_torque() -> None:
    driver = load_driver("interbotix_wx250s")
    calls = [step.call for step in driver.stop if step.call is not None]
    assert calls == [
        ServiceCall(
            "/wx250s/controller_manager/switch_controller",
            ServiceKind.SWITCH_CONTROLLER,
            "deactivate",
            ("arm_controller",),
        )
    ]
    assert not driver.effort
    assert driver.wrench is None


def test_after_a_collision_the_interbotix_controller_is_restarted_and_no_servo_loses_torque() -> None:
    """E5."""
    service = "/wx250s/controller_manager/switch_controller"
    assert [step.call for step in load_driver("interbotix_wx250s").restart] == [
        ServiceCall(service, ServiceKind.SWITCH_CONTROLLER, "deactivate", ("arm_controller",)),
        ServiceCall(service, ServiceKind.SWITCH_CONTROLLER, "activate", ("arm_controller",)),
    ]


def test_a_jaka_is_restarted_by_a_person_as_nothing_offers_it_as_a_service() -> None:
    driver = load_driver("jaka_s5")
    assert driver.restart == ()
    assert "JAKA App" in driver.by_hand


def test_an_unknown_driver_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"driver: got 'widow', allowed: .*simulated_widowx"):
        load_driver("widow")


def changed(tmp_path: Path, path: tuple[Any, ...], value: object) -> Path:
    return changed_file(FOLDER / "simulated_widowx.yaml", tmp_path, path, value)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("arm_acton",), "/a", r"arm_acton: .*did you mean arm_action"),
        (("stop",), [], r"stop: got \[\], allowed: at least one of cancel"),
        (("stop",), [{"stage": "hold", "deadline": 0.5}], r"stop: got \['hold'\], allowed: a stage besides hold"),
        (("stop", 1, "stage"), "cancel", r"stop: .* each at most once"),
        (("stop", 0, "stage"), "none", r"stop\[0\]\.stage: got 'none', allowed: cancel, hold"),
        (("stop", 0, "deadline"), 0.0, r"stop\[0\]\.deadline: got 0\.0, allowed: a number above 0"),
        (("stop", 0, "deadline"), float("nan"), r"stop\[0\]\.deadline: got nan, allowed: a finite number"),
        (("stop", 0, "call"), {"service": "a", "kind": "b"}, r"stop\[0\]\.call: .* cancel uses the arm's action"),
        (("stop", 2, "call"), None, r"stop\[2\]\.call: got None, allowed: a mapping"),
        (("stop", 2, "call", "kind"), "std_srvs/srv/Stop", r"call\.kind: .* allowed: std_srvs/srv/Trigger"),
        (("stop", 2, "call", "argument"), "now", r"call\.argument: got 'now', allowed: none for std_srvs/srv/Trigger"),
        (("stop", 2, "call", "controllers"), ["a"], r"call\.controllers: .* none for std_srvs/srv/Trigger"),
        (("stop", 3, "call", "argument"), "halt", r"call\.argument: got 'halt', allowed: configure, cleanup"),
        (("rest", "samples"), 0, r"rest\.samples: got 0, allowed: a whole number of at least 1"),
        (("rest", "samples"), 2.5, r"rest\.samples: got 2\.5, allowed: a whole number"),
        (("rest", "velocity"), -0.1, r"rest\.velocity: got -0\.1"),
        (("restart", 0, "settle"), -1.0, r"restart\[0\]\.settle: got -1\.0, allowed: a number of at least 0"),
        (("joint_states", "rate"), 0, r"joint_states\.rate: got 0\.0, allowed: a number above 0"),
        (("joint_states", "velocity"), "yes", r"joint_states\.velocity: got 'yes', allowed: true or false"),
        (("by_hand",), "", r"by_hand: got '', allowed: a word"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(
    tmp_path: Path, path: tuple[Any, ...], value: object, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read_driver(changed(tmp_path, path, value))


def test_a_controller_switch_must_name_its_controllers(tmp_path: Path) -> None:
    call = {"service": "a", "kind": "controller_manager_msgs/srv/SwitchController", "argument": "deactivate"}
    with pytest.raises(ConfigurationError, match=r"call\.controllers: got None, allowed: a list of words"):
        read_driver(changed(tmp_path, ("stop", 3, "call"), call))
