"""`ams inject`: let something go wrong with the simulated robot."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from typing import Annotated

import typer

from ams_ros.cli.output import console
from ams_ros.cli.up import full_namespace
from ams_ros.errors import ConfigurationError, RobotError

_END = "none"


def inject(
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="push, stuck_joint, ...; none ends all of them.")],
    *,
    onset: Annotated[float, typer.Option(metavar="S", help="Simulated seconds from now.")] = 0.0,
    duration: Annotated[float, typer.Option(metavar="S", help="Simulated seconds; 0: until none.")] = 0.0,
    magnitude: Annotated[float, typer.Option(help="In the fault's own unit; 0: its default.")] = 0.0,
    target: Annotated[str, typer.Option(help="Such as forearm, or a joint's name; by default the fault's own.")] = "",
    namespace: Annotated[str | None, typer.Option(help="Of the nodes; by default that of the node list.")] = None,
) -> None:
    """Let something go wrong with the simulated robot of a running graph; docs/nodes.md lists the faults."""
    namespace = full_namespace(namespace)

    from ams_ros.cli.graph import listed_namespace
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.cli.ros_session import RosSession
    from ams_ros.robot.profile import load_profile, profile_names
    from ams_ros.simulation.faults.fault import FAULTS, Fault, checked
    from ams_ros.srv import InjectFault

    if fault not in {*FAULTS, _END}:
        raise ConfigurationError("FAULT", fault, ", ".join((*FAULTS, _END)))
    if fault != _END:
        # Which robot runs is known to its node, which looks again: a joint's name may be that of any.
        profiles = [load_profile(name) for name in profile_names()]
        meant = next((profile for profile in profiles if target in profile.joint_names), profiles[-1])
        checked(Fault(fault, onset, duration, magnitude, target), meant)
    service = f"{listed_namespace(namespace)}/simulated_robot/inject_fault"
    request = InjectFault.Request(fault=fault, onset=onset, duration=duration, magnitude=magnitude, target=target)
    with Interrupts() as interrupts, RosSession(interrupts.check) as session:
        answer = session.call(InjectFault, service, request, 5.0, "is a simulated robot running? `ams up` starts one")
    if not answer.success:
        raise RobotError(f"not injected: {answer.message}")
    console().print("All faults have ended." if fault == _END else f"Injected: {fault}", markup=False)
