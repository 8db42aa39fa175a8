"""`ams up`: start the graph and keep it running."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from typing import Annotated

import typer

from ams_ros.cli.output import console
from ams_ros.errors import ConfigurationError

LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")


def up(
    *,
    speed: Annotated[
        float | None, typer.Option(help="Simulated against real time; 0 as fast as it goes. Needs --use-sim-time.")
    ] = None,
    use_sim_time: Annotated[bool, typer.Option(help="Let the simulated robot's clock be ROS time.")] = False,
    policy: Annotated[str | None, typer.Option(help="Name or folder of the policy checkpoint.")] = None,
    robot: Annotated[
        str | None, typer.Option(help="Another robot than the WidowX: a file under config/overlays, such as jaka_s5.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NODE.PARAMETER=VALUE", help="Set a parameter; repeatable.")
    ] = None,
    log_level: Annotated[str, typer.Option(help=", ".join(LOG_LEVELS))] = "info",
    namespace: Annotated[str | None, typer.Option(help="Of the nodes; by default that of the node list.")] = None,
) -> None:
    """Start the graph, bring every node to active, and keep it running until Ctrl-C or SIGTERM.

    A node that dies stops the whole graph, with exit code 1; nothing is restarted silently.
    """
    from ams_ros.cli.graph import Graph, GraphOptions
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.errors import RobotError

    if log_level not in LOG_LEVELS:
        raise ConfigurationError("--log-level", log_level, ", ".join(LOG_LEVELS))
    options = GraphOptions(
        namespace=full_namespace(namespace),
        speed=allowed_speed(speed, use_sim_time),
        use_sim_time=use_sim_time,
        policy=policy,
        robot=robot,
        settings=tuple(map(split_setting, settings or ())),
        log_level=log_level,
    )
    out = console()
    with Interrupts() as interrupts:
        graph = Graph(options, out.print, interrupts.check)
        try:
            with graph:
                for name, state in graph.states().items():
                    out.print(f"{name:<20} {state}")
                out.print(f'The graph is up. Try: ams run "put the cubes in the bowl". Logs: {graph.log_folder}')
                while True:
                    graph.session.spin(1.0)
        except KeyboardInterrupt:
            out.print("The graph is down.")
        except RobotError:
            if graph.dead is not None:
                out.print(f"{graph.dead.name} {graph.dead.ending}; last lines of {graph.dead.log}:")
                for line in graph.dead.tail:
                    out.print(f"  {line}", markup=False)
                out.print("The graph was stopped.")
            raise


def full_namespace(text: str | None) -> str | None:
    """The namespace with its leading slash; raises ConfigurationError for what ROS would not take."""
    return None if text is None else full_name("--namespace", text)


def full_name(key: str, text: str) -> str:
    """A name of ROS with its leading slash; raises ConfigurationError naming `key` for what ROS would not take."""
    parts = text.strip("/").split("/")
    if not all(part.isidentifier() and part.isascii() for part in parts):
        raise ConfigurationError(key, text, "names of letters, digits and _, joined by /, such as /ams")
    return "/" + "/".join(parts)


def allowed_speed(speed: float | None, use_sim_time: bool) -> float | None:
    """The speed; raises ConfigurationError when it is negative, or not 1 although nodes run on wall time."""
    if speed is None:
        return None
    if not 0.0 <= speed <= 1000.0:
        raise ConfigurationError("--speed", speed, "0 (as fast as the machine allows) to 1000")
    if speed != 1.0 and not use_sim_time:
        raise ConfigurationError("--speed", speed, "1, or any with --use-sim-time")
    return speed


def split_setting(text: str) -> tuple[str, str]:
    """NODE.PARAMETER and VALUE of one --set; raises ConfigurationError for another form."""
    key, equals, value = text.partition("=")
    if not (equals and value and "." in key):
        raise ConfigurationError("--set", text, "NODE.PARAMETER=VALUE, such as simulated_robot.joint_state_rate=200")
    return key.strip(), value.strip()
