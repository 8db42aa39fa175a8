"""The command `ams`. Nothing heavy is imported before a verb needs it, so that `ams --help` answers at once."""

from __future__ import annotations

import sys

import typer

from ams_ros.cli.acknowledge import acknowledge
from ams_ros.cli.bench import bench
from ams_ros.cli.calibrate import calibrate
from ams_ros.cli.demo import demo
from ams_ros.cli.doctor import doctor
from ams_ros.cli.evaluate import evaluate
from ams_ros.cli.inject import inject
from ams_ros.cli.output import print_error
from ams_ros.cli.pool import pool
from ams_ros.cli.rules import rules
from ams_ros.cli.run import run
from ams_ros.cli.train import train
from ams_ros.cli.up import up
from ams_ros.errors import AmsError, ConfigurationError

app = typer.Typer(
    name="ams",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Action management for robots that run vision-language-action policies.\n\n"
    "Exit codes: 0 it worked, 1 it failed, 2 it was asked for something that cannot be.",
)
for verb in (up, run, acknowledge, inject, demo, train, evaluate, calibrate, rules, doctor):
    app.command()(verb)
app.add_typer(pool)
app.add_typer(bench)


def main() -> None:
    """Run the verb that was asked for; errors raised on purpose end in one line, without a traceback."""
    try:
        app()
    except ConfigurationError as error:
        print_error(error)
        sys.exit(2)
    except AmsError as error:
        print_error(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
