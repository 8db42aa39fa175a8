"""`ams acknowledge`: a person has looked at the robot and lets it move again."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from ams_ros.cli.output import console
from ams_ros.cli.up import full_namespace
from ams_ros.errors import ConfigurationError, RobotError


def acknowledge(
    number: Annotated[int, typer.Argument(metavar="[NUMBER]", help="Of the exception; without: the one in force.")] = 0,
    *,
    person: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so [default: your user name].")] = None,
    namespace: Annotated[str | None, typer.Option(help="Of the nodes; by default that of the node list.")] = None,
) -> None:
    """Say that a person has looked at the robot, and lift the stop of an exception.

    Do it beside the robot: from then on any goal may move it again.
    """
    if not 0 <= number < 2**63:
        raise ConfigurationError("NUMBER", number, "the number of an exception, or 0 for the one in force")
    if person is not None and not person.strip():
        raise ConfigurationError("--person", person, "a name; it goes to the log")
    namespace = full_namespace(namespace)

    from ams_ros.cli.graph import listed_namespace
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.cli.ros_session import RosSession
    from ams_ros.srv import Acknowledge

    service = f"{listed_namespace(namespace)}/exception_monitor/acknowledge"
    request = Acknowledge.Request(exception=number, person=person or getpass.getuser())
    with Interrupts() as interrupts, RosSession(interrupts.check) as session:
        answer = session.call(Acknowledge, service, request, 5.0, "is the exception monitor there? `ams up` starts it")
    if not answer.success:
        raise RobotError(f"not acknowledged: {answer.message}")
    console().print("Acknowledged: goals may move the robot again.")
