"""Shared memory that Fast DDS leaves in /dev/shm when a node is killed before it can clean up."""

from __future__ import annotations

import fcntl
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
    processes = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    used = frozenset[str]().union(*map(segments_of, processes))
    removed = []
    for name in sorted(names - used):
        # Processes in another container may share this folder unseen; their lock is seen.
        lock = FOLDER / f"{name}_el"
        if lock.exists() and not _free(lock):
            continue
        for path in (FOLDER / name, lock, FOLDER / f"sem.{name}_mutex"):
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
