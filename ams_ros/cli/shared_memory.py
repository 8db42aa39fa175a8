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
    """Remove those of the named segments that no process uses any more; returns what was removed."""
    # Fast DDS keeps segments of others mapped in this process even after its last participant is gone; what this
    # process really uses is locked, see below.
    others = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()} - {os.getpid()}
    used = frozenset[str]().union(*map(segments_of, others))
    removed = []
    for name in sorted(names - used):
        # Processes in another container may share this folder unseen; their lock is seen.
        locks = [FOLDER / f"{name}_el", FOLDER / f"{name}_sl"]
        if not all(map(_free, locks)):
            continue
        for path in (FOLDER / name, *locks, FOLDER / f"sem.{name}_mutex"):
            if path.exists():
                path.unlink(missing_ok=True)
                removed.append(path.name)
    return tuple(removed)


def _free(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True
