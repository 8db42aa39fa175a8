"""`ams rules`: which rules watch the arm, with which thresholds, and which do not and why."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ams_ros.errors import ConfigurationError


def rules(
    *,
    driver: Annotated[str | None, typer.Option(help="A file under config/drivers [default: simulated_widowx].")] = None,
    thresholds: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `ams calibrate` wrote for this driver.")
    ] = None,
    conditions: Annotated[Path | None, typer.Option(metavar="FILE", help="Conditions of your own.")] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables of docs/exceptions.md, which hold for all drivers.")
    ] = False,
) -> None:
    """Show the rules of the exception monitor as they would run, without any node, and check your files.

    Exit code 2 for a file that the exception monitor would refuse.
    """
    if markdown:
        given = {"--driver": driver, "--thresholds": thresholds, "--conditions": conditions}
        for option, value in given.items():
            if value is not None:
                raise ConfigurationError(option, str(value), "nothing with --markdown")
        from ams_ros.cli.rules_markdown import tables

        typer.echo("\n\n".join(tables().values()))
        return
    from ams_ros.cli.rules_view import show

    show(driver or "simulated_widowx", thresholds, conditions)
