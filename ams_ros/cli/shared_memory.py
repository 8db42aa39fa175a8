"""Shared memory that Fast DDS leaves in /dev/shm when a node is killed before it can clean up."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

FOLDER = Path("/dev/shm")
_SEGMENT = re.compile(r"/dev/shm/(fastrtps_\w+)")


def segments_of(process: int) -> frozenset[str]:
    """Names of the Fast DDS segments and ports that a process maps; empty when it is gone."""
    try:
        return frozenset(_SEGMENT.findall(Path(f"/proc/{process}/maps").read_text()))
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return frozenset()


def remove_orphans(names: frozenset[str]) -> tuple[str, ...]:
    """Remove those of the named segments and ports whose owner is gone; returns what was removed."""
    # Fast DDS keeps segments of others mapped in this process even after its last participant is gone; what this
    # process really uses is locked, see below.
    others = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()} - {os.getpid()}
    mapped = frozenset[str]().union(*map(segments_of, others))
    removed = []
    for name in sorted(names):
        if name in mapped and not _abandoned(name):
            continue
        # Processes in another container may share this folder unseen; their lock is seen.
        locks = [FOLDER / f"{name}_el", FOLDER / f"{name}_sl"]
        if not all(map(_free, locks)):
            continue
        for path in (FOLDER / name, *locks, FOLDER / f"sem.{name}_mutex"):
            if path.exists():
                path.unlink(missing_ok=True)
                removed.append(path.name)
    return tuple(removed)


def _abandoned(name: str) -> bool:
    """Whether a segment that somebody maps has lost its owner: readers keep what they have mapped when it goes.

    Never so for a port: its name is used again, and whoever sends to the removed one would not reach its next owner.
    """
    lock = FOLDER / f"{name}_el"
    return not name.startswith("fastrtps_port") and lock.exists() and _free(lock)


def _free(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True
