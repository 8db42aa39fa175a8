"""Which code an episode was run by."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import ams_ros
from ams_ros.resources import share_directory

ROOMS = ("context", "exception", "policy", "recovery", "replay", "robot", "simulation", "supervision")
"""What an episode is made by, besides the files of benchmark itself."""


@cache
def code_digest() -> str:
    """Hex digest of everything that an episode is run by: the core, the simulation, the configuration."""
    package = Path(ams_ros.__file__).resolve().parent
    files = [file for room in ROOMS for file in (package / room).rglob("*.py")]
    files += [*(package / "benchmark").glob("*.py"), *(share_directory() / "config").rglob("*.yaml")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
