"""What the pool answers."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.context.host.leases import Lease
from ams_ros.context.records import ContextRecord, VectorKind

HOST, DISK, NOWHERE = "host", "disk", "none"
"""Tiers a vector can lie in; what lies nowhere was given up and waits to be computed again."""


@dataclass(frozen=True, slots=True)
class PutResult:
    """new_bytes: content the pool did not have yet. known: the context was there already and nothing was changed."""

    new_bytes: int
    known: bool


@dataclass(frozen=True, slots=True)
class VectorPlace:
    """One vector and where its bytes lie.

    key: its input key, empty for none. cost: seconds it took to compute. accesses: how often it was read.
    tier: HOST, DISK or NOWHERE. pieces: (offset, nbytes) in the pool's shared memory, in order; empty unless leased.
    """

    kind: VectorKind
    name: str
    key: bytes
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    cost: float
    accesses: int
    tier: str
    pieces: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Vectors that were found; until the lease ends they are neither moved nor freed. lease: None for none."""

    places: tuple[VectorPlace, ...]
    lease: Lease | None


@dataclass(frozen=True, slots=True, eq=False)
class ListedContext:
    """A context as it stands in the pool; places: its vectors where they were asked for, without pieces."""

    record: ContextRecord
    pinned: bool
    places: tuple[VectorPlace, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PlacedContext:
    """A context whose wanted vectors lie in shared memory under a lease. lease: None when there are none."""

    record: ContextRecord
    pinned: bool
    places: tuple[VectorPlace, ...]
    lease: Lease | None


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """Contexts, newest first. total: how many match, of which `contexts` are the part that was asked for."""

    total: int
    contexts: tuple[ListedContext, ...]


@dataclass(frozen=True, slots=True)
class Evicted:
    """contexts: how many were removed. bytes: what that freed on host and disk."""

    contexts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Imported:
    """contexts: taken. known: had already. skipped: one line for each that was damaged or found no room."""

    contexts: int
    known: int
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """contexts, vectors: whole ones on disk. damaged: a line for each that was not, and was removed."""

    contexts: int
    vectors: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """What the pool holds and has done since it was opened; the fields of PoolStats.msg.

    logical_bytes: of all vectors that can be had, each counted as often as contexts refer to it. stored_bytes: what
    they take: the host tier's bytes, and those of vectors that lie on disk only.
    """

    contexts: int
    succeeded: int
    failed: int
    pinned: int
    leases: int
    host_bytes: int
    host_budget: int
    disk_bytes: int
    disk_budget: int
    logical_bytes: int
    stored_bytes: int
    hits: int
    misses: int
    puts: int
    refused: int
    demotions: int
    drops: int
    evictions: int
    damaged: int
    policy: str
