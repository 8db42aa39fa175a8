"""What a pool is configured with."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ams_ros.context.eviction.choice import POLICIES
from ams_ros.context.hashing.choice import HASH_NAMES
from ams_ros.context.host.shared_memory import FOLDER
from ams_ros.errors import ConfigurationError

MIB = 2**20
DEFAULT_HOST_BYTES, LEAST_HOST_BYTES = 512 * MIB, 4 * MIB
DEFAULT_SEGMENT_BYTES = 512 * 1024
"""Small enough that a segment and its copy lie in a core's second cache together, so that it is read only once."""

_STORE = re.compile(r"[0-9A-Za-z.-]{1,64}")


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Budgets, places and choices.

    path: folder of the disk tier; None: there is none, and what leaves the host tier is gone.
    host_bytes: size of the shared memory, all of it taken at once; 0: chosen when the pool is made, 512 MiB or a
        quarter of what is free, whichever is less, but 4 MiB at least. disk_bytes: of all files of the disk tier.
    segment_bytes: unit of deduplication, a multiple of 64. policy, hash: names, see eviction.choice and hashing.choice.
    lease_seconds: how long readers in other processes may take to copy what they were given.
    read_seconds, read_rate: what reading from disk takes, seconds and bytes a second; a vector that is computed again
        faster than it would be read is dropped instead of written.
    promotion_seconds: how long a look-up waits for the disk while something else keeps it busy; then it is a miss.
    board_keys: input keys that the board for other processes lists.
    exact_limit: contexts of one model, instruction and outcome up to which similarity compares with every one.
    store: word that the names of the pool's shared memory contain. read_only: look at a store that another process
        may be writing; nothing can be put, and the host tier is small.
    """

    path: Path | None = None
    host_bytes: int = 0
    disk_bytes: int = 8192 * MIB
    segment_bytes: int = DEFAULT_SEGMENT_BYTES
    policy: str = "priority"
    hash: str = "xxh3"
    lease_seconds: float = 5.0
    read_seconds: float = 1e-3
    read_rate: float = 1e9
    promotion_seconds: float = 0.25
    board_keys: int = 2**18
    exact_limit: int = 10_000
    store: str = "pool"
    read_only: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigurationError for what cannot work."""
        if self.host_bytes:
            _check_range("host_bytes", self.host_bytes, 65536, 2**44)
        _check_range("disk_bytes", self.disk_bytes, MIB, 2**50)
        _check_range("segment_bytes", self.segment_bytes, 1024, 2**24)
        if self.segment_bytes % 64:
            raise ConfigurationError("segment_bytes", self.segment_bytes, "a multiple of 64")
        _check_range("board_keys", self.board_keys, 1, 2**28)
        _check_range("exact_limit", self.exact_limit, 1, 2**24)
        _check_seconds("lease_seconds", self.lease_seconds, 0.01, 3600.0)
        _check_seconds("read_seconds", self.read_seconds, 0.0, 60.0)
        _check_seconds("promotion_seconds", self.promotion_seconds, 0.0, 60.0)
        if not (math.isfinite(self.read_rate) and self.read_rate >= 1e3):
            raise ConfigurationError("read_rate", self.read_rate, "bytes a second, 1000 or more")
        if self.policy not in POLICIES:
            raise ConfigurationError("policy", self.policy, ", ".join(POLICIES))
        if self.hash not in HASH_NAMES:
            raise ConfigurationError("hash", self.hash, ", ".join(HASH_NAMES))
        if not _STORE.fullmatch(self.store):
            raise ConfigurationError("store", self.store, "1 to 64 letters, digits, . and -")
        if self.read_only and self.path is None:
            raise ConfigurationError("read_only", self.read_only, "false where path is not set")

    def chosen_host_bytes(self) -> int:
        """host_bytes, or what is chosen for 0 now."""
        if self.read_only:
            return LEAST_HOST_BYTES
        if self.host_bytes:
            return self.host_bytes
        room = os.statvfs(FOLDER)
        free = room.f_bavail * room.f_frsize
        return max(LEAST_HOST_BYTES, min(DEFAULT_HOST_BYTES, free // 4 // MIB * MIB))

    def read_time(self, nbytes: int) -> float:
        """Seconds it takes to have that many bytes from disk."""
        return self.read_seconds + nbytes / self.read_rate


def _check_range(key: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(key, value, f"{least}..{most}")


def _check_seconds(key: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigurationError(key, value, f"{least}..{most} s")
