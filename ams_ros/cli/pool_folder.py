"""A pool's store on disk, without any node: reading beside whoever writes it, writing only when nobody else does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from ams_ros.cli.pool_access import ContextRow, Exported, Imported, Listing, Removed, VectorRow, Verified
from ams_ros.context.disk.disk_tier import (
    INDEX_NAME,
    DamagedVectorError,
    DiskTier,
    DiskVector,
    DiskVectorRow,
    VectorGoneError,
)
from ams_ros.context.disk.portable import Damaged, PortableContext, export_contexts, read_contexts
from ams_ros.context.records import ContextOutcome, ContextRecord, NewVector
from ams_ros.errors import ConfigurationError, PoolError

UNBOUNDED = 2**62
"""Bytes. The budget is the node's business: here nothing is put but what a person asks to import."""

Stored = tuple[ContextRecord, bool, tuple[DiskVectorRow, ...]]


@contextmanager
def open_folder(folder: Path, writes: bool, create: bool = False) -> Iterator[PoolFolder]:
    """The store in `folder`, closed at the end. create: make one where there is none.

    Raises ConfigurationError when there is no store, PoolError naming the process that writes it when it is to be
    written, too.
    """
    if not create and not (folder / INDEX_NAME).is_file():
        raise ConfigurationError("--store", str(folder), f"the folder of a pool, with {INDEX_NAME} in it")
    tier = DiskTier(folder, UNBOUNDED, read_only=not writes, holder="ams pool")
    try:
        yield PoolFolder(tier)
    finally:
        tier.close()


class PoolFolder:
    """Implements pool_access.PoolAccess on a disk tier."""

    def __init__(self, tier: DiskTier) -> None:
        """Ask `tier`, which somebody else closes."""
        self._tier = tier
        self._read: list[Stored] | None = None

    def listing(self, reference: str, outcome: str, offset: int, limit: int, vectors: bool) -> Listing:
        """Contexts of that reference and outcome, newest first."""
        found = [
            stored
            for stored in self._stored()
            if reference in ("", stored[0].context_id, stored[0].episode) and outcome in ("", stored[0].outcome.value)
        ]
        rows = tuple(_context_row(*stored) for stored in found[offset : offset + limit])
        return Listing(len(found), rows if vectors else tuple(replace(row, vectors=()) for row in rows))

    def stats(self) -> dict[str, int | str]:
        """What there is on disk; what was asked and moved only a running pool knows."""
        stored = self._stored()
        outcomes = [record.outcome for record, _, _ in stored]
        vectors = [vector for _, _, held in stored for vector in held]
        return {
            "contexts": len(stored),
            "succeeded": outcomes.count(ContextOutcome.SUCCEEDED),
            "failed": outcomes.count(ContextOutcome.FAILED),
            "pinned": sum(pinned for _, pinned, _ in stored),
            "vectors": len({vector.number for vector in vectors}),
            "disk_bytes": self._tier.used_bytes,
            "logical_bytes": sum(vector.nbytes for vector in vectors),
            "damaged": self._tier.damaged,
        }

    def verify(self) -> Verified:
        """Read everything; what is damaged is removed."""
        report = self._tier.verify()
        details = (*self._tier.findings, *report.damaged)
        return Verified(report.contexts, report.vectors, len(details), details)

    def evict(self, reference: str, outcome: str, nbytes: int) -> Removed:
        """Remove contexts; for a size the oldest first, those that succeeded last."""
        before = self._tier.used_bytes
        if nbytes:
            return Removed(self._make_room(nbytes), before - self._tier.used_bytes)
        chosen = [each for each in self._stored() if reference in (each[0].context_id, each[0].episode)]
        if outcome:
            chosen = [each for each in self._stored() if each[0].outcome.value == outcome and not each[1]]
        pinned = [record.context_id for record, is_pinned, _ in chosen if is_pinned]
        if pinned:
            raise PoolError(f"{len(pinned)} of {reference} are pinned, {pinned[0]} among them: unpin them first")
        self._remove(chosen)
        return Removed(len(chosen), before - self._tier.used_bytes)

    def export(self, file: Path, reference: str) -> Exported:
        """Write contexts into a portable file."""
        chosen = [each for each in self._stored() if reference in ("", each[0].context_id, each[0].episode)]
        exported = export_contexts(file, map(self._loaded, chosen))
        return Exported(str(file), exported.contexts, exported.bytes)

    def import_file(self, file: Path) -> Imported:
        """Take the contexts of a portable file; those of a known id are left as they are."""
        known = {record.context_id for record, _, _ in self._stored()}
        taken, doubles = 0, 0
        damaged: list[str] = []
        for each in read_contexts(file):
            if isinstance(each, Damaged):
                damaged.append(f"{each.context_id}: {each.reason}" if each.context_id else each.reason)
            elif each.record.context_id in known:
                doubles += 1
            else:
                self._tier.save(each.record, [_disk_vector(vector) for vector in each.vectors], each.pinned)
                taken += 1
        self._read = None
        return Imported(taken, doubles, len(damaged), "; ".join(damaged))

    def mark(self, reference: str, outcome: str) -> int:
        """Set how it went."""
        changed = self._tier.set_outcome(self._named(reference), ContextOutcome(outcome))
        self._read = None
        return changed

    def pin(self, reference: str, pinned: bool) -> int:
        """Pin or unpin."""
        changed = self._tier.set_pinned(self._named(reference), pinned)
        self._read = None
        return changed

    def _stored(self) -> list[Stored]:
        """Everything, newest first."""
        if self._read is None:
            self._read = sorted(self._tier.contexts(), key=lambda stored: stored[0].created, reverse=True)
        return self._read

    def _named(self, reference: str) -> list[str]:
        return [
            record.context_id for record, _, _ in self._stored() if reference in (record.context_id, record.episode)
        ]

    def _make_room(self, nbytes: int) -> int:
        """Remove until so many bytes are free again; returns how many contexts that took."""
        goal = self._tier.used_bytes - nbytes
        spare = [each for each in self._stored() if not each[1]]
        # The newest come first, and what is popped from the end goes first.
        spare.sort(key=lambda each: each[0].outcome is not ContextOutcome.SUCCEEDED)
        removed = 0
        while spare and self._tier.used_bytes > goal:
            batch: list[Stored] = []
            # Contexts share content, so what a batch frees is only known when it is gone.
            while spare and sum(vector.nbytes for each in batch for vector in each[2]) < self._tier.used_bytes - goal:
                batch.append(spare.pop())
            self._remove(batch)
            removed += len(batch)
        return removed

    def _remove(self, chosen: Iterable[Stored]) -> None:
        self._tier.remove_contexts([record.context_id for record, _, _ in chosen])
        self._tier.collect()
        self._read = None

    def _loaded(self, stored: Stored) -> PortableContext:
        record, pinned, rows = stored
        vectors = []
        for row in rows:
            try:
                array = self._tier.load(row.number)
            except (DamagedVectorError, VectorGoneError):
                continue  # removed since it was listed, or damaged: the rest of the context is still worth having
            vectors.append(NewVector(row.kind, row.name, array, row.key, row.cost))
        return PortableContext(record, tuple(vectors), pinned)


def _disk_vector(vector: NewVector) -> DiskVector:
    content = vector.array.reshape(-1).view(np.uint8)
    array = vector.array
    return DiskVector(vector.kind, vector.name, vector.key, array.dtype.name, array.shape, vector.cost, content)


def _context_row(record: ContextRecord, pinned: bool, vectors: tuple[DiskVectorRow, ...]) -> ContextRow:
    return ContextRow(
        context_id=record.context_id,
        episode=record.episode,
        index=record.index,
        outcome=record.outcome.value,
        pinned=pinned,
        created=record.created,
        instruction=record.instruction,
        seed=record.seed,
        start_time=record.start_time,
        guided_by=record.guided_by,
        joints=tuple(record.joints.tolist()),
        gripper=record.gripper,
        model=json.loads(record.model.to_json()),
        vectors=tuple(
            VectorRow(each.kind.value, each.name, each.dtype, each.shape, each.nbytes, each.cost, 0, "disk")
            for each in vectors
        ),
    )
