"""The services by which drivers are stopped and restarted: their requests, and what their answers mean."""

from __future__ import annotations

import importlib
from typing import Any

from lifecycle_msgs.msg import Transition

from ams_ros.errors import ConfigurationError
from ams_ros.robot.driver import ServiceCall, ServiceKind

_TRUTH = {"true": True, "false": False}


def service_type(call: ServiceCall) -> Any:
    """The type of the service; raises ConfigurationError when its package is not installed.

    Imported only when a driver names it: controller_manager_msgs, for one, is not there on every machine.
    """
    package, _, name = call.kind.value.partition("/srv/")
    try:
        return getattr(importlib.import_module(f"{package}.srv"), name)
    except ImportError as error:
        raise ConfigurationError(call.service, call.kind.value, f"an installed package {package}") from error


def service_request(call: ServiceCall) -> Any:
    """The request of that call; raises ConfigurationError for an argument it does not know, or a missing package."""
    request = service_type(call).Request()
    if call.kind is ServiceKind.SET_BOOL:
        request.data = _one_of(_TRUTH, call)
    elif call.kind is ServiceKind.CHANGE_STATE:
        request.transition = Transition(label=call.argument)
    elif call.kind is ServiceKind.SWITCH_CONTROLLER:
        if _one_of({"activate": True, "deactivate": False}, call):
            request.activate_controllers = list(call.controllers)
            request.strictness = request.STRICT
        else:
            # One of them being inactive already must not keep the others running.
            request.deactivate_controllers = list(call.controllers)
            request.strictness = request.BEST_EFFORT
    return request


def answer_of(call: ServiceCall, response: Any) -> tuple[bool, str]:
    """Whether the service did what was asked, and what it says about it; an answer of Empty says that it did."""
    if call.kind is ServiceKind.EMPTY:
        return True, ""
    done = response.ok if call.kind is ServiceKind.SWITCH_CONTROLLER else response.success
    return bool(done), str(getattr(response, "message", ""))


def _one_of(allowed: dict[str, Any], call: ServiceCall) -> Any:
    if call.argument not in allowed:
        raise ConfigurationError(f"{call.service} argument", call.argument, ", ".join(allowed))
    return allowed[call.argument]
