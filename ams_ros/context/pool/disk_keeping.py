"""Between the books and the disk tier: what is written, what is read back, and who makes room there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ams_ros.context.disk.disk_errors import DamagedVectorError, DiskFullError, VectorGoneError
from ams_ros.context.disk.disk_records import DiskVector
from ams_ros.context.disk.disk_tier import DiskTier
from ams_ros.context.pool.books import Books
from ams_ros.context.pool.context_order import FIRST_TO_GO
from ams_ros.context.pool.context_removal import ContextRemoval
from ams_ros.context.pool.context_table import ContextEntry
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.records import Array, ContextOutcome

_SHARE_TO_FREE = 64
"""Room on a full disk is made in portions of at least this share of the budget: each costs rewriting of packs."""

_BATCH_BYTES = 64 * 2**20
"""Content of contexts that are written at once, and in memory twice meanwhile."""


@dataclass(slots=True)
class _Plan:
    """What of a context is to be written: numbers of its vectors, and what the disk tier is given."""

    entry: ContextEntry
    numbers: list[int]
    vectors: list[DiskVector]


class DiskKeeping:
    """Writes contexts to disk and reads vectors back. Called by one thread at a time (the pool's work lock)."""

    def __init__(self, books: Books, disk: DiskTier, removal: ContextRemoval, options: PoolOptions) -> None:
        """Over an open store."""
        self._books, self._disk, self._removal, self._options = books, disk, removal, options

    def worth_keeping(self, number: int) -> bool:
        """Whether to have it from disk would beat computing it again, or it cannot be computed again."""
        layout = self._books.vectors.layout(number)
        pinned = self._books.vectors.pins[number] > 0
        saved = self._books.vectors.cost[number] - self._options.read_time(layout.nbytes)
        return pinned or not layout.kind.recomputable or saved > 0.0

    def save(self, entries: Sequence[ContextEntry], whole: bool = False, outcome: ContextOutcome | None = None) -> None:
        """Write contexts with their vectors that are in the host tier: all of them when `whole`, else those worth it.

        outcome: to be written instead of what the entries say. What is on disk is only referred to. All of them are
        durable at return. Raises DiskFullError, PoolError; one context is then as before, of several some are written.
        """
        rest = list(entries)
        while rest:
            plans = self._plans(rest, whole)
            items = []
            for plan in plans:
                with self._books.lock:
                    record = self._books.record(plan.entry)
                written = record if outcome is None else replace(record, outcome=outcome)
                items.append((written, plan.vectors, plan.entry.pinned))
            try:
                numbers = self._disk.save_many(items)
            except VectorGoneError as error:
                self._lose(error.number)
                continue
            with self._books.lock:
                for plan, named in zip(plans, numbers, strict=True):
                    plan.entry.saved = True
                    for number, disk in zip(plan.numbers, named, strict=True):
                        self._books.hold_on_disk(number, plan.entry, disk)
            rest = rest[len(plans) :]

    def save_making_room(
        self,
        entry: ContextEntry,
        whole: bool = False,
        outcome: ContextOutcome | None = None,
        beside: Sequence[ContextEntry] = (),
    ) -> None:
        """As `save`; where the disk is full, whole contexts go that go before it, pinned ones and `beside` never.

        Raises DiskFullError when nothing more can go.
        """
        while True:
            try:
                self.save([entry], whole, outcome)
            except DiskFullError as full:
                if not self._free(full.needed, entry, (entry, *beside), outcome):
                    raise
            else:
                return

    def unsaved(self, entry: ContextEntry) -> bool:
        """Whether a context has vectors worth keeping that the disk does not hold for it."""
        return bool(self._to_write(entry, False))

    def save_what_fits(self, entries: Sequence[ContextEntry]) -> bool:
        """Write contexts, those worth most first, until there is no room; whether there was for all of them."""
        waiting = [entry for entry in entries if not entry.saved or self.unsaved(entry)]
        try:
            self.save(waiting)
        except DiskFullError as full:
            if len(waiting) > 1:
                half = len(waiting) // 2
                return self.save_what_fits(waiting[:half]) and self.save_what_fits(waiting[half:])
            return self._free(full.needed, waiting[0], waiting, strictly=True) and self.save_what_fits(waiting)
        return True

    def load(self, number: int) -> Array | None:
        """A vector's bytes as they were put; None when they are damaged or gone, and then it is forgotten."""
        with self._books.lock:
            disk, layout = self._books.vectors.disk[number], self._books.vectors.layout(number)
        if not disk:
            return None
        try:
            array = self._disk.load(disk)
        except (DamagedVectorError, VectorGoneError):
            self._lose(disk)
            return None
        if (array.dtype.name, array.shape) != (layout.dtype, layout.shape):
            self._disk.drop_vectors([disk])
            self._lose(disk)
            return None
        return array

    def _plans(self, entries: Sequence[ContextEntry], whole: bool) -> list[_Plan]:
        """What to write of the first of these contexts: as many as do not share what is new, nor are too large."""
        plans: list[_Plan] = []
        new: set[int] = set()
        size = 0
        for entry in entries:
            with self._books.lock:
                fresh = [each for each in self._to_write(entry, whole) if not self._books.vectors.disk[each]]
                size += sum(self._books.vectors.layout(each).nbytes for each in fresh)
            if plans and (size > _BATCH_BYTES or not new.isdisjoint(fresh)):
                break
            new.update(fresh)
            plans.append(self._plan(entry, whole))
        return plans

    def _to_write(self, entry: ContextEntry, whole: bool) -> list[int]:
        """Vectors the disk does not hold for this context and that are there to be written, and worth it."""
        vectors = self._books.vectors
        return [
            number
            for place, number in enumerate(entry.vectors)
            if not entry.held >> place & 1
            and (vectors.disk[number] or (vectors.in_host(number) and (whole or self.worth_keeping(number))))
        ]

    def _plan(self, entry: ContextEntry, whole: bool) -> _Plan:
        """What `save` has to write, with the bytes; those are held while they are copied."""
        books, plan = self._books, _Plan(entry, [], [])
        with books.lock:
            wanted = self._to_write(entry, whole)
            fresh = [number for number in wanted if not books.vectors.disk[number]]
            for number in fresh:
                books.begin_use(number)
        try:
            for number in wanted:
                plan.numbers.append(number)
                plan.vectors.append(self._disk_vector(number))
        finally:
            with books.lock:
                for number in fresh:
                    books.end_use(number)
        return plan

    def _disk_vector(self, number: int) -> DiskVector:
        table = self._books.vectors
        layout, content = table.layout(number), int(table.disk[number])
        described = (layout.kind, layout.name, table.key(number), layout.dtype, layout.shape, table.cost[number])
        if content:
            return DiskVector(*described, content)
        loaded = np.empty(layout.nbytes, np.uint8)
        self._books.host.load(table.actions(number), loaded)
        return DiskVector(*described, loaded)

    def _free(
        self,
        needed: int,
        saving: ContextEntry,
        staying: Sequence[ContextEntry],
        outcome: ContextOutcome | None = None,
        strictly: bool = False,
    ) -> bool:
        """Make room on disk for a context (of that outcome by now); whether there may be more of it now.

        strictly: only by contexts of a worse outcome, not by those that go first among equals.
        """
        freed = self._disk.collect()
        rank = len(FIRST_TO_GO) if saving.pinned else FIRST_TO_GO.index(outcome or saving.outcome) - strictly
        target = max(needed, self._disk.budget_bytes // _SHARE_TO_FREE)
        with self._books.lock:
            gone = self._less_worth(rank, target - freed, {entry.number for entry in staying})
            self._books.counts.evictions += len(gone)
        self._removal.remove(*gone)
        if gone:
            self._disk.collect()
        return bool(gone) or freed > 0

    def _less_worth(self, rank: int, nbytes: int, staying: set[int]) -> list[ContextEntry]:
        """Contexts on disk of at most that rank, the first to go first, until the disk holds `nbytes` for them."""
        books, chosen, total = self._books, list[ContextEntry](), 0
        for number in books.order.first_to_go():
            entry = books.contexts.numbered(number)
            if total >= nbytes or entry is None or FIRST_TO_GO.index(entry.outcome) > rank:
                break
            if not entry.saved or entry.pinned or number in staying:
                continue
            if any(books.vectors.uses[each] for each in entry.vectors):
                continue
            chosen.append(entry)
            total += sum(books.vectors.layout(each).nbytes for each in entry.vectors if books.holds(entry, each))
        return chosen

    def _lose(self, disk: int) -> None:
        """A vector's bytes on disk are damaged or gone: where they are in the host tier too, nothing else is lost."""
        books = self._books
        with books.lock:
            for number in list(books.vectors):
                if books.vectors.disk[number] == disk:
                    if books.vectors.in_host(number):
                        books.set_disk(number, 0)
                    else:
                        books.forget(number)
