"""A YAML file of the package with one entry changed, to see what its reader says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def changed_file(source: Path, folder: Path, path: tuple[Any, ...], value: object) -> Path:
    """A copy of `source` in `folder` in which the entry at `path`, keys and list places from the top, is `value`."""
    content = yaml.safe_load(source.read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    copy = folder / source.name
    copy.write_text(yaml.safe_dump(content))
    return copy
