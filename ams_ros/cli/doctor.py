"""`ams doctor`: whether everything is here that AMS needs."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ams_ros.cli.output import console

if TYPE_CHECKING:
    from ams_ros.cli.finding import Finding


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look at packages, disk, OpenGL, policy, interfaces, DDS and running nodes; every fault comes with its mend.

    Exit code 0 when nothing must be mended, 1 otherwise.
    """
    from rich.text import Text

    from ams_ros.cli.finding import Health

    marks = {Health.GOOD: ("ok  ", "green"), Health.NOTE: ("note", "yellow"), Health.BAD: ("BAD ", "bold red")}
    findings = []
    for finding in _findings():
        findings.append(finding)
        if as_json:
            continue
        console().print(Text.assemble(marks[finding.health], f" {finding.subject}: {finding.seen}"))
        if finding.mend:
            console().print(Text(f"     -> {finding.mend}"))
    faults = sum(finding.health is Health.BAD for finding in findings)
    if as_json:
        typer.echo(json.dumps([finding.as_dictionary() for finding in findings], indent=2))
    else:
        console().print("Nothing must be mended." if not faults else f"{faults} to be mended.")
    raise typer.Exit(1 if faults else 0)


def _findings() -> Iterator[Finding]:
    from ams_ros.cli import doctor_machine
    from ams_ros.cli.finding import bad, good

    yield from doctor_machine.installed()
    yield from doctor_machine.space()
    yield from doctor_machine.rendering()
    yield from doctor_machine.checkpoint()
    try:
        import rclpy
        from rclpy.utilities import get_rmw_implementation_identifier

        from ams_ros.cli import doctor_ros
        from ams_ros.cli.ros_session import RosSession
    except ImportError as error:
        yield bad("ROS 2", str(error), f"source your ROS 2 installation, or {doctor_machine.SET_UP}")
        return
    yield good("ROS 2", f"rclpy in {rclpy.__path__[0]}, {get_rmw_implementation_identifier()}")
    yield from doctor_ros.interfaces()
    with RosSession() as session:
        yield from doctor_ros.reachability(session)
        yield from doctor_ros.nodes(session)
