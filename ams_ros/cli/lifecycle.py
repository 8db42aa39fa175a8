"""Lifecycle states and transitions of other nodes, through their services."""

from __future__ import annotations

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState

from ams_ros.cli.ros_session import RosSession

TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}


def state_of(session: RosSession, node: str, timeout: float = 5.0) -> str:
    """State of the node of that full name: unconfigured, inactive, active, finalized, or a passing one.

    Raises RobotError when it does not tell within `timeout` seconds.
    """
    mend = "is the graph running? `ams up` starts it, `ams doctor` looks"
    response = session.call(GetState, f"{node}/get_state", GetState.Request(), timeout, mend)
    return str(response.current_state.label)


def change_state(session: RosSession, node: str, transition: str, timeout: float) -> bool:
    """Ask for configure, activate, deactivate or cleanup; returns whether the node made it.

    Raises RobotError when it does not answer within `timeout` seconds.
    """
    request = ChangeState.Request(transition=Transition(id=TRANSITIONS[transition]))
    mend = f"it neither made nor refused the transition {transition}; its log says what it was doing"
    return bool(session.call(ChangeState, f"{node}/change_state", request, timeout, mend).success)
