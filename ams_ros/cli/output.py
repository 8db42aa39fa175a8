"""Where the command line writes: results to stdout, errors to stderr, records to files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ams_ros.errors import ConfigurationError

PLAIN_WIDTH = 200
"""Characters of a table that goes to a file or a pipe."""


@cache
def console() -> Console:
    """Standard output; plain lines of any length when it is no terminal."""
    return Console(highlight=False, soft_wrap=True)


def print_table(table: Table) -> None:
    """Write a table to stdout, fitted to the window; whole where there is no terminal."""
    out = console()
    (out if out.is_terminal else Console(width=PLAIN_WIDTH)).print(table)


def figure_table(*columns: str, wraps: bool = False) -> Table:
    """A table of figures: its first column tells what of. wraps: whether a cell may take more than one line."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=not wraps, justify="right" if place else "left")
    return table


def print_error(error: Exception) -> None:
    """Say on stderr, in one red line, what went wrong."""
    line = " ".join(str(error).splitlines())
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), (line, "red")))


def writable_file(key: str, path: Path, suffixes: tuple[str, ...] = ()) -> Path:
    """The path of a file to be written later, its folder made; raises ConfigurationError when it cannot be written."""
    if suffixes and path.suffix.lower() not in suffixes:
        raise ConfigurationError(key, str(path), "a file name ending in " + " or ".join(suffixes))
    if path.is_dir():
        raise ConfigurationError(key, str(path), "a file name, this is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Found out now, not after the task that took minutes.
        existed = path.exists()
        path.open("ab").close()
        if not existed:
            path.unlink()
    except OSError as error:
        raise ConfigurationError(key, str(path), f"a file that can be written ({error.strerror})") from error
    return path


def write_figures(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON that people can read; nothing without a path."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
