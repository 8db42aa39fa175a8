"""What the disk tier refuses, and how an error of the operating system reads to a person."""

from __future__ import annotations

import errno
from pathlib import Path

from ams_ros.errors import PoolError

_MENDS = {
    errno.ENOSPC: "free space on that disk, or choose a smaller disk budget or another path",
    errno.EDQUOT: "the user's quota is used up: free space, or choose a smaller disk budget or another path",
    errno.EACCES: "give this user read and write permission there, or choose another path",
    errno.EPERM: "give this user read and write permission there, or choose another path",
    errno.EROFS: "it lies on a read-only file system: choose another path, or open the store read-only",
    errno.ENOTDIR: "a file stands where a folder is needed: choose another path",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENOLCK: "that file system has no locks: choose a path on a local disk",
}


class DamagedVectorError(PoolError):
    """The bytes of a vector on disk are not those that were written; it was removed and is never returned."""


class VectorGoneError(PoolError):
    """No vector of that number is on disk: it was dropped, or the whole store was started anew."""

    def __init__(self, number: int) -> None:
        """Name the vector."""
        super().__init__(f"vector {number} is not on disk (any more)")
        self.number = number


class DiskFullError(PoolError):
    """The disk budget does not allow it; nothing was written."""

    def __init__(self, path: Path, needed: int, free: int, budget: int) -> None:
        """Name the store, the bytes needed (an upper bound), those free and the budget."""
        super().__init__(
            f"{path}: {needed} bytes do not fit, {max(free, 0)} of the disk budget of {budget} are free; "
            "remove contexts and collect, or raise the budget"
        )
        self.needed, self.free, self.budget = needed, free, budget


def storage_error(path: Path, error: OSError) -> PoolError:
    """The PoolError that names the path, what failed, and the mend where there is a usual one."""
    mend = _MENDS.get(error.errno or 0)
    return PoolError(f"{path}: {error.strerror or error}" + (f"; {mend}" if mend else ""))
