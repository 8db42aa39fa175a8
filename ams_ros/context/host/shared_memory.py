"""Areas of memory that several processes map: files in /dev/shm that do not outlive their owner for long.

The owner holds a lock on its file as long as it lives, however it dies. So the next process can tell an area left
behind by a killed one, which it removes, from one that is in use, which it never touches. A child that was forked
without starting another program inherits the lock, and with it the ownership.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
import secrets
import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ams_ros.errors import ConfigurationError, PoolError

FOLDER = Path("/dev/shm")
PREFIX = "ams_ros_"

_NAME = re.compile(PREFIX + r"[0-9A-Za-z.-]{1,64}_[0-9A-Za-z.-]{1,32}_[0-9a-f]{16}")
_WORD = re.compile(r"[0-9A-Za-z.-]+")
_POPULATE_WRITE = 23
"""MADV_POPULATE_WRITE, Linux 5.14; Python's mmap module does not name it."""


class SharedArea:
    """One mapped area.

    name: of the file below /dev/shm. array: (nbytes,) uint8, its memory; writable for the owner. Views of `array` stay
    good after `close`: the memory goes when the last of them does.
    """

    def __init__(self, name: str, descriptor: int, nbytes: int, writable: bool, owner: bool) -> None:
        """Map an open file of at least `nbytes`. Use `create` or `open`. Takes the descriptor over."""
        self.name = name
        self._descriptor: int | None = descriptor
        self._owner = owner
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        self._mapping: mmap.mmap | None = mmap.mmap(descriptor, nbytes, access=access)
        self.array: NDArray[np.uint8] = np.frombuffer(self._mapping, np.uint8)

    @classmethod
    def create(cls, name: str, nbytes: int, setting: str = "bytes") -> SharedArea:
        """A new area, zeroed, all of it backed by memory and mapped, so that no later access can fail or fault.

        name: of `area_name`. setting: what the user changes to get a smaller one, for the message. Takes about half a
        second for each GiB. Raises PoolError when /dev/shm lacks room or the name is taken.
        """
        if nbytes < 1:
            raise ConfigurationError(setting, nbytes, "at least 1 byte")
        _check_name(name)
        descriptor = _create_locked(name)
        try:
            _reserve(descriptor, nbytes, setting)
            area = cls(name, descriptor, nbytes, writable=True, owner=True)
        except BaseException:
            (FOLDER / name).unlink(missing_ok=True)
            os.close(descriptor)
            raise
        area._fault_in()
        return area

    @classmethod
    def open(cls, name: str, nbytes: int, writable: bool = False) -> SharedArea:
        """Map an area of another process of the same user; raises PoolError as `open_file` does."""
        descriptor = open_file(name, nbytes, writable)
        try:
            return cls(name, descriptor, nbytes, writable, owner=False)
        except BaseException:
            os.close(descriptor)
            raise

    @property
    def nbytes(self) -> int:
        """Size of the area."""
        return len(self.array)

    def close(self) -> None:
        """Give the memory back, and the name too when it is the owner's; a second call does nothing."""
        if self._descriptor is None:
            return
        if self._owner:
            (FOLDER / self.name).unlink(missing_ok=True)
        self.array = np.empty(0, np.uint8)
        self._mapping = None
        os.close(self._descriptor)
        self._descriptor = None

    def _fault_in(self) -> None:
        """Map every page of a new area now: a page fault in a copy costs more than the copy of the page."""
        assert self._mapping is not None
        try:
            self._mapping.madvise(_POPULATE_WRITE)
        except OSError:  # a kernel that does not know it
            self.array[:: mmap.PAGESIZE] = 0


def open_file(name: str, nbytes: int, writable: bool = False) -> int:
    """A descriptor of an area of another process of the same user; name and size may come from a message.

    Raises PoolError when the name is not one of ours, the area is gone, or shorter than promised: beyond the end of a
    file an access to mapped memory would kill the process.
    """
    _check_name(name)
    if nbytes < 1:
        raise PoolError(f"shared memory {name}: {nbytes} bytes promised, at least 1 expected")
    flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(FOLDER / name, flags)
    except OSError as error:
        raise PoolError(f"shared memory {name} cannot be opened: {error.strerror}") from error
    status = os.fstat(descriptor)
    if _is_ours(status) and status.st_size >= nbytes:
        return descriptor
    os.close(descriptor)
    if not _is_ours(status):
        raise PoolError(f"shared memory {name}: not a file of this user")
    raise PoolError(f"shared memory {name}: {nbytes} bytes promised, {status.st_size} are there")


def area_name(store: str, role: str) -> str:
    """A fresh name for an area. store: which pool it belongs to, at most 64 characters; role: what for, at most 32."""
    for key, word in (("store", store), ("role", role)):
        if not _WORD.fullmatch(word):
            raise ConfigurationError(key, word, "letters, digits, . and -")
    return _check_name(f"{PREFIX}{store}_{role}_{secrets.token_hex(8)}")


def area_exists(name: str) -> bool:
    """Whether the area still has its name; a name is never given twice."""
    return (FOLDER / _check_name(name)).exists()


def remove_leftovers(prefix: str = PREFIX) -> tuple[str, ...]:
    """Remove areas whose names begin with `prefix` and whose owners died; returns their names."""
    if not prefix.startswith(PREFIX):
        raise ConfigurationError("prefix", prefix, f"text that begins with {PREFIX}")
    names = sorted(name for name in os.listdir(FOLDER) if name.startswith(prefix) and _NAME.fullmatch(name))
    return tuple(name for name in names if _remove_if_abandoned(FOLDER / name))


def _remove_if_abandoned(path: Path) -> bool:
    """Remove the file unless its owner's lock is held; whether it was removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # removed meanwhile, or another user's
        return False
    try:
        if not _is_ours(os.fstat(descriptor)):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _create_locked(name: str) -> int:
    """Create the file and lock it; again when somebody took it for a leftover in between."""
    while True:
        try:
            descriptor = os.open(FOLDER / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError as error:
            raise PoolError(f"shared memory {name} exists already") from error
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


def _reserve(descriptor: int, nbytes: int, setting: str) -> None:
    """Have the kernel set the memory aside; raises PoolError when there is too little."""
    room = os.fstatvfs(descriptor)
    free = room.f_bavail * room.f_frsize
    if nbytes <= free:
        try:
            os.posix_fallocate(descriptor, 0, nbytes)
            return
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.ENOMEM):  # taken by somebody else since we asked
                raise
    raise PoolError(
        f"{setting}: {nbytes / 2**20:.1f} MiB of shared memory needed, {free / 2**20:.1f} MiB free in {FOLDER}; "
        f"lower {setting}, or enlarge {FOLDER} (docker run --shm-size)"
    )


def _is_ours(status: os.stat_result) -> bool:
    """Whether it is a plain file of this user, whose owner does not shorten it under us."""
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def _check_name(name: str) -> str:
    """The name itself; raises PoolError when it cannot be an area of ours, such as one with a slash."""
    if not _NAME.fullmatch(name):
        raise PoolError(f"shared memory: {name[:200]!r} is not a name like {PREFIX}<store>_<role>_<16 hex digits>")
    return name
