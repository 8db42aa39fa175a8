"""From the disk tier to the books: when a pool opens, and after a check of the whole store."""

from __future__ import annotations

from collections import defaultdict

from ams_ros.context.disk.disk_records import DiskVectorRow
from ams_ros.context.disk.disk_tier import DiskTier
from ams_ros.context.pool.books import Books
from ams_ros.context.pool.context_removal import ContextRemoval
from ams_ros.context.pool.context_table import ContextEntry
from ams_ros.context.pool.similar_contexts import SimilarContexts
from ams_ros.context.pool.vector_table import VectorLayout
from ams_ros.context.records import ContextRecord, ModelKey


class Restoring:
    """Keeps the books true to what is on disk. Called by one thread at a time (the pool's work lock)."""

    def __init__(self, books: Books, similar: SimilarContexts, removal: ContextRemoval, disk: DiskTier) -> None:
        """Over an open store."""
        self._books, self._similar, self._removal, self._disk = books, similar, removal, disk

    def restore(self) -> None:
        """Enter every context that is on disk into empty books, with its outcome, pin and embedding."""
        numbers: defaultdict[ModelKey, dict[int, int]] = defaultdict(dict)
        for record, pinned, rows in self._disk.contexts():
            with self._books.lock:
                self._enter(record, pinned, rows, numbers[record.model])
        self._similar.add_many(self._books.contexts)

    def compare(self) -> None:
        """Forget what is on disk no longer; a context that is gone from there stays if the host tier has all of it."""
        present = {record.context_id: {row.number for row in rows} for record, _, rows in self._disk.contexts()}
        books = self._books
        with books.lock:
            missing = [entry for entry in books.contexts if entry.saved and entry.context_id not in present]
            for entry in missing:
                entry.saved, entry.held = False, 0
            gone = [entry for entry in missing if not all(map(books.vectors.in_host, entry.vectors))]
        self._removal.remove(*gone)
        with books.lock:
            for entry in books.contexts:
                if entry.saved:
                    self._correct(entry, present[entry.context_id])
            for number in list(books.vectors):
                if books.vectors.disk[number] and not books.held_for_any(number):
                    books.set_disk(number, 0)

    def _correct(self, entry: ContextEntry, rows: set[int]) -> None:
        """Take away what the disk does not hold for a context any more. rows: numbers of what it holds."""
        vectors = self._books.vectors
        for number in entry.vectors:
            if self._books.holds(entry, number) and vectors.disk[number] not in rows:
                if vectors.in_host(number):
                    self._books.let_go_on_disk(number, entry)
                else:
                    self._books.take_out(number, entry)

    def _enter(
        self,
        record: ContextRecord,
        pinned: bool,
        rows: tuple[DiskVectorRow, ...],
        numbers: dict[int, int],
    ) -> None:
        """One context; vectors that several hold are one again. numbers: of those of its model met so far, by row."""
        books = self._books
        model = books.model(record.model)
        entry = ContextEntry(books.contexts.numbers.take(), record, (), pinned)
        for row in rows:
            number = numbers.get(row.number)
            if number is None:
                layout = VectorLayout(row.kind, row.name, row.dtype, row.shape, row.nbytes)
                key = row.key if row.key and model.index.find(row.key) is None else b""
                number = numbers[row.number] = books.vectors.add(layout, row.cost)
                books.vectors.disk[number] = row.number
                if key:
                    books.enter_key(number, key, model)
            books.refer(number, entry.number, pinned)
        entry.vectors = [numbers[row.number] for row in rows]
        entry.saved, entry.held = True, (1 << len(rows)) - 1
        books.add_context(entry, model)
