"""One writing process per store folder, and who it is."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from pathlib import Path

from ams_ros.context.disk.disk_errors import storage_error
from ams_ros.errors import PoolError

_NAME = "writer.lock"
_READ_BYTES = 4096


class StoreLock:
    """Held from construction to `close` or the end of the process, however that comes.

    The kernel's lock on the file counts, not the file's existence, so a dead process never blocks the next one. What
    stands in the file only tells people who holds it.
    """

    def __init__(self, folder: Path, holder: str) -> None:
        """Take the lock of `folder`; raises PoolError naming the process that has it, or why there can be none."""
        self._path = folder / _NAME
        entry = {"pid": os.getpid(), "host": socket.gethostname(), "what": holder, "since": time.time()}
        try:
            self._file = self._locked()
            try:
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, json.dumps(entry).encode(), 0)
            except OSError:
                os.close(self._file)
                raise
        except OSError as error:
            raise storage_error(self._path, error) from error

    def close(self) -> None:
        """Let the next writer in. The file stays: removing it would let two processes lock two different files."""
        os.close(self._file)

    def _locked(self) -> int:
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._still_there(file):
                    return file
            except BlockingIOError as error:
                found = os.pread(file, _READ_BYTES, 0)
                os.close(file)
                raise PoolError(self._refusal(found)) from error
            except OSError:
                os.close(file)
                raise
            os.close(file)

    def _still_there(self, file: int) -> bool:
        """Whether the locked file is the one others would open; somebody may have deleted it in between."""
        try:
            return os.path.samestat(os.fstat(file), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _refusal(self, found: bytes) -> str:
        who = "another process"
        try:
            entry = json.loads(found)
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(entry["since"])))
            who = f"{str(entry['what'])[:80]} (pid {int(entry['pid'])} on {str(entry['host'])[:80]}, since {since})"
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError, OSError):
            who += ", which has not said who it is"
        return (
            f"{self._path.parent}: this store is written by {who}; "
            "stop that process, open the store read-only, or choose another path"
        )
