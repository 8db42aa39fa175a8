"""What driver files ask of services becomes requests, and answers become yes or no."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

from ams_ros.errors import ConfigurationError
from ams_ros.nodes.service_requests import answer_of, service_request
from ams_ros.robot.driver import ServiceCall, ServiceKind


def test_an_argument_finds_its_place_in_the_request():
    assert service_request(ServiceCall("/power", ServiceKind.SET_BOOL, "false")).data is False
    assert service_request(ServiceCall("/power", ServiceKind.SET_BOOL, "true")).data is True
    asked = service_request(ServiceCall("/robot/change_state", ServiceKind.CHANGE_STATE, "deactivate"))
    assert asked.transition.label == "deactivate"
    for kind in (ServiceKind.TRIGGER, ServiceKind.EMPTY):
        assert service_request(ServiceCall("/stop", kind)) is not None


def test_an_argument_that_means_nothing_is_refused_naming_service_and_what_is_allowed():
    with pytest.raises(ConfigurationError, match=r"/power.*'maybe'.*true, false"):
        service_request(ServiceCall("/power", ServiceKind.SET_BOOL, "maybe"))


@pytest.mark.skipif(
    importlib.util.find_spec("controller_manager_msgs") is not None, reason="controller_manager_msgs is installed here"
)
def test_a_service_whose_package_is_missing_is_refused_naming_the_package():
    call = ServiceCall("/controller_manager/switch_controller", ServiceKind.SWITCH_CONTROLLER, "deactivate", ("arm",))
    with pytest.raises(ConfigurationError, match="an installed package controller_manager_msgs"):
        service_request(call)


@pytest.mark.parametrize("done", [True, False])
def test_an_answer_says_whether_it_was_done_except_that_of_empty_which_says_so_by_coming(done):
    trigger = SimpleNamespace(success=done, message="the brakes are closed")
    assert answer_of(ServiceCall("/stop", ServiceKind.TRIGGER), trigger) == (done, "the brakes are closed")
    change = SimpleNamespace(success=done)
    assert answer_of(ServiceCall("/change", ServiceKind.CHANGE_STATE), change) == (done, "")
    switch = SimpleNamespace(ok=done, message="")
    assert answer_of(ServiceCall("/switch", ServiceKind.SWITCH_CONTROLLER), switch) == (done, "")
    assert answer_of(ServiceCall("/stop", ServiceKind.EMPTY), SimpleNamespace()) == (True, "")
