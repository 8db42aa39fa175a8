"""What `ams pool` asks of a pool, whichever way it is reached: over services, or in its folder on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ams_ros.errors import ConfigurationError

PAGE = 1000
"""Contexts asked for at once, as many as the service ListContexts gives."""


@dataclass(frozen=True, slots=True)
class VectorRow:
    """One vector of a context. cost: seconds to compute it. tier: host, disk, or none when it was dropped."""

    kind: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    cost: float
    accesses: int
    tier: str


@dataclass(frozen=True, slots=True)
class ContextRow:
    """One context; the fields are those of context.records.ContextRecord. model: the model key's fields."""

    context_id: str
    episode: str
    index: int
    outcome: str
    pinned: bool
    created: float
    instruction: str
    seed: int
    start_time: float
    guided_by: str
    joints: tuple[float, ...]
    gripper: float
    model: dict[str, Any]
    vectors: tuple[VectorRow, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of the contexts that match, newest first; total: how many match."""

    total: int
    contexts: tuple[ContextRow, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was read and compared with its checksums; details: one line for each damaged entry, now removed."""

    contexts: int
    vectors: int
    damaged: int
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed. freed_bytes: of host memory and disk."""

    contexts: int
    freed_bytes: int


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written into a portable file."""

    file: str
    contexts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read from a portable file: taken, known before, and skipped because it was damaged.

    message: what was skipped, and why.
    """

    contexts: int
    known: int
    skipped: int
    message: str


class PoolAccess(Protocol):
    """A pool that can be asked. A reference is a context id, or an episode id for all its contexts; empty means all.

    Every method raises PoolError or RobotError with the reason when the pool refuses or does not answer.
    """

    def listing(self, reference: str, outcome: str, offset: int, limit: int, vectors: bool) -> Listing:
        """Contexts of that reference and outcome, newest first."""
        ...

    def stats(self) -> dict[str, int | str]:
        """Figures by the names of the message PoolStats, as far as this way of asking knows them."""
        ...

    def verify(self) -> Verified:
        """Read everything on disk; what is damaged is removed."""
        ...

    def evict(self, reference: str, outcome: str, nbytes: int) -> Removed:
        """Remove contexts; exactly one of the three is given."""
        ...

    def export(self, file: Path, reference: str) -> Exported:
        """Write contexts into a portable file, which must not exist."""
        ...

    def import_file(self, file: Path) -> Imported:
        """Take the contexts of a portable file."""
        ...

    def mark(self, reference: str, outcome: str) -> int:
        """Set how it went; returns the number of contexts."""
        ...

    def pin(self, reference: str, pinned: bool) -> int:
        """Pin or unpin; returns the number of contexts."""
        ...


def every_context(pool: PoolAccess) -> Iterator[ContextRow]:
    """All contexts, newest first, without their vectors."""
    offset = 0
    while True:
        page = pool.listing("", "", offset, PAGE, vectors=False).contexts
        yield from page
        if len(page) < PAGE:
            return
        offset += PAGE


def resolve(pool: PoolAccess, reference: str) -> str:
    """The context or episode id that was meant: the reference itself, or the one context id that begins with it.

    Raises ConfigurationError when nothing or more than one thing is meant.
    """
    from ams_ros.context.records import check_identifier  # noqa: PLC0415 - numpy is not needed for `ams pool --help`

    check_identifier("REFERENCE", reference)
    if pool.listing(reference, "", 0, 1, vectors=False).total:
        return reference
    begins = sorted(row.context_id for row in every_context(pool) if row.context_id.startswith(reference))
    if not begins:
        raise ConfigurationError("REFERENCE", reference, "a context or episode that the pool has; `ams pool ls` lists")
    if len(begins) > 1:
        some = ", ".join(begins[:3]) + (" ..." if len(begins) > 3 else "")
        raise ConfigurationError(
            "REFERENCE", reference, f"the beginning of one context id, not of {len(begins)}: {some}"
        )
    return begins[0]
