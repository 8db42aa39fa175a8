"""The disk tier: contexts that survive the process, as safetensors packs and an SQLite index (spec C3).

Content is cut into segments, each stored once under its BLAKE3 digest. A save writes the segments that are new into
one pack, syncs it, and then commits one transaction: at any moment a crash leaves the index pointing at whole packs
only, and at most files nothing points at, which the next opening removes. Every read is checked against the digests.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from ams_ros.context.disk.disk_catalog import DiskCatalog, StoredContext
from ams_ros.context.disk.disk_collection import collect
from ams_ros.context.disk.disk_errors import DamagedVectorError, DiskFullError, VectorGoneError
from ams_ros.context.disk.disk_index import DamagedIndexError, DiskIndex
from ams_ros.context.disk.disk_listing import ListedContext, list_contexts
from ams_ros.context.disk.disk_reading import read_segments
from ams_ros.context.disk.disk_records import DiskReport, DiskVector, DiskVectorRow
from ams_ros.context.disk.disk_recovery import open_index, recover, remove_orphans
from ams_ros.context.disk.disk_room import HEADROOM_BYTES, MAXIMUM_REMOVED, Save, bytes_needed, removable_at_once
from ams_ros.context.disk.disk_rows import digest, with_outcome, with_pin
from ams_ros.context.disk.disk_segments import SegmentPlace
from ams_ros.context.disk.disk_verification import settle, survey
from ams_ros.context.disk.packs import PackFolder
from ams_ros.context.disk.store_lock import StoreLock
from ams_ros.context.records import Array, ContextOutcome, ContextRecord
from ams_ros.errors import ConfigurationError, PoolError

__all__ = [
    "DamagedVectorError",
    "DiskFullError",
    "DiskReport",
    "DiskTier",
    "DiskVector",
    "DiskVectorRow",
    "VectorGoneError",
]

INDEX_NAME = "index.sqlite"
PACKS_NAME = "packs"


class DiskTier:
    """One store folder. Any thread may call any method; one process writes, any number read beside it.

    damaged: how many contexts and vectors were found damaged and removed since opening, those found while opening
    included. findings: a line for each thing that opening had to mend.
    """

    def __init__(
        self,
        folder: Path,
        budget_bytes: int,
        read_only: bool = False,
        segment_bytes: int = 65536,
        holder: str = "ams_ros",
    ) -> None:
        """Open a store, creating it where it is missing unless `read_only`, and mend what a crash left.

        budget_bytes: of all files of the store together, 1 MiB or more; a store that is larger already opens, and
        takes nothing new before it has shrunk. holder: what other processes are told of the one that writes.
        Raises PoolError when the store is in use, of a later version, or cannot be read or written.
        """
        if budget_bytes < 2**20:
            raise ConfigurationError("disk budget_bytes", budget_bytes, "1048576 or more")
        if not 1024 <= segment_bytes <= 2**24:
            raise ConfigurationError("disk segment_bytes", segment_bytes, "1024..16777216")
        self.folder, self.budget_bytes, self.read_only = folder, budget_bytes, read_only
        self._segment_bytes = segment_bytes
        self._guard = threading.RLock()
        self._closed = False
        self._packs = PackFolder(folder / PACKS_NAME, read_only)
        self._lock = None if read_only else StoreLock(folder, holder)
        findings: list[str] = []
        with ExitStack() as undo:
            if self._lock:
                undo.callback(self._lock.close)
            self._index = open_index(folder / INDEX_NAME, read_only, findings)
            undo.callback(self._index.close)
            self._catalog = DiskCatalog(self._index)
            if not read_only:
                findings += recover(self._index, self._catalog, self._packs)
            orphans = 0 if read_only else remove_orphans(self._catalog, self._packs)
            undo.pop_all()
        self.damaged = len(findings)
        if orphans:
            findings.append(f"{orphans} files of saves that were never finished were removed")
        self.findings = tuple(findings)

    def close(self) -> None:
        """Let go of the store; a second time does nothing, anything else called afterwards raises PoolError."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._index.close()
            if self._lock:
                self._lock.close()

    @property
    def used_bytes(self) -> int:
        """Measured size of all files of the store."""
        with self._guard:
            return self._packs.used_bytes() + self._index.used_bytes()

    def save(self, record: ContextRecord, vectors: Sequence[DiskVector], pinned: bool | None = None) -> tuple[int, ...]:
        """Insert the context or change it, and add the vectors; their numbers. Durable and atomic at return.

        A vector of a kind and name the context already has replaces it. pinned None keeps the pin as it is, unset for
        a new context. Raises DiskFullError before writing anything, VectorGoneError for a number that is not on disk,
        PoolError when the disk refuses.
        """
        return self.save_many([(record, vectors, pinned)])[0]

    def save_many(self, items: Sequence[Save]) -> tuple[tuple[int, ...], ...]:
        """The same for many contexts, in one pack and one transaction: all of them are saved or none."""
        offered: dict[bytes, memoryview] = {}
        references: Counter[bytes] = Counter()
        names = [[self._cut(vector, references, offered) for vector in vectors] for _, vectors, _ in items]
        with self._guard:
            self._writable()
            for number in {
                each.content for _, vectors, _ in items for each in vectors if isinstance(each.content, int)
            }:
                self._catalog.vector_seal(number)
            known = self._catalog.segments.known(offered)
            fresh = {name: part for name, part in offered.items() if name not in known}
            sizes = {name: part.nbytes for name, part in fresh.items()}
            self._make_room(sizes, len(references), items)
            pack = self._packs.write(fresh) if fresh else None
            try:
                with self._index.transaction():
                    self._catalog.segments.add(references, sizes, pack)
                    numbers = tuple(self._place(*item, listed) for item, listed in zip(items, names, strict=True))
            except BaseException:
                if pack and not self._catalog.segments.has_pack(pack.name):
                    self._packs.remove(pack.name)
                raise
        return numbers

    def contexts(self) -> Iterator[StoredContext]:
        """All contexts, oldest first: record, pinned, vectors. Damaged ones are skipped, removed and counted.

        Contexts that are added or removed meanwhile may be among them or not.
        """
        last = 0
        while True:
            with self._guard:
                found = list_contexts(self._index, self._catalog, last)
                if not all(each.whole for each in found) and self._discard_of(found):
                    found = list_contexts(self._index, self._catalog, last)
            if not found:
                return
            last = found[-1].number
            yield from (each.stored for each in found if each.stored is not None)

    def load(self, number: int) -> Array:
        """A vector, a new array of its own that can be written to.

        Raises DamagedVectorError when its bytes are not those that were saved; it is then removed. Raises
        VectorGoneError when there is none of that number.
        """
        with self._guard:
            vector, places = self._places(number)
        for _ in range(3):
            try:
                content, lost = read_segments(self._packs, places)
            except FileNotFoundError:
                with self._guard:
                    vector, places = self._places(number)
                continue
            if not lost:
                return content.view(vector.dtype).reshape(vector.shape)
            break
        else:
            lost = {place.digest for place in places}
        self._discard([number], lost)
        raise DamagedVectorError(f"vector {number} ({vector.kind.value} {vector.name}): its bytes on disk are damaged")

    def drop_vectors(self, numbers: Iterable[int]) -> None:
        """Remove vectors, whichever contexts hold them; numbers that are not there are passed over."""
        with self._guard:
            self._writable()
            with self._changing():
                self._catalog.drop_vectors(numbers)

    def remove_context(self, context_id: str) -> bool:
        """Remove a context with the vectors no other one holds; whether it was there."""
        return self.remove_contexts([context_id]) == 1

    def remove_contexts(self, context_ids: Iterable[str]) -> int:
        """Remove contexts with the vectors no other one holds, durable at return; how many of them were there.

        In one transaction, or in several where there are more than disk_room.MAXIMUM_REMOVED of them or the budget
        leaves little room for the log. Raises PoolError when the disk refuses: those of earlier transactions are gone.
        """
        rest = list(dict.fromkeys(context_ids))
        removed = 0
        while rest:
            with self._guard:
                self._writable()
                present = self._catalog.context_rows(rest[:MAXIMUM_REMOVED])
                count = self._removable(present)
                with self._changing():
                    self._catalog.remove_contexts(present[:count])
                removed += len(present[:count])
            if count >= len(present):
                rest = rest[MAXIMUM_REMOVED:]
        return removed

    def set_outcome(self, context_ids: Iterable[str], outcome: ContextOutcome) -> int:
        """Set the outcome of contexts, durable at return; how many of them are there."""
        return self._change(context_ids, outcome)

    def set_pinned(self, context_ids: Iterable[str], pinned: bool) -> int:
        """Pin contexts or take the pin off, durable at return; how many of them are there."""
        return self._change(context_ids, pinned)

    def collect(self) -> int:
        """Delete packs nothing needs, rewrite those that are mostly dead; the bytes this has freed."""
        with self._guard:
            self._writable()
            before = self.used_bytes
            self.damaged += collect(self._index, self._catalog.segments, self._packs, self.budget_bytes - before)
            return before - self.used_bytes

    def verify(self) -> DiskReport:
        """Read everything, remove what is damaged, and say what there was; a read-only store is only told about.

        Others go on meanwhile: they wait only while what seems damaged is looked at again and removed. What they save
        after this has begun is not looked at.
        """
        try:
            with self._guard:
                self._check_open()
                reader = DiskIndex(self._index.path, read_only=True)
            with closing(reader):
                suspects = survey(reader, self._packs)
            if suspects.none:
                return DiskReport(suspects.contexts, suspects.vectors, ())
            with self._guard:
                self._check_open()
                free = None if self.read_only else self._free
                report = settle(self._index, self._catalog, self._packs, suspects, free)
                self.damaged += len(report.damaged)
                return report
        except DamagedIndexError as error:
            return self._start_anew(str(error))

    def _start_anew(self, reason: str) -> DiskReport:
        """Replace a database that broke under us, as opening would, after a second look at it."""
        with self._guard:
            self._check_open()
            try:
                with closing(DiskIndex(self._index.path, read_only=True)) as reader:
                    reader.check()
            except DamagedIndexError:
                return self._replaced(reason)
        raise PoolError(f"{reason}; a second look found nothing wrong: verify again, and check the disk if this recurs")

    def _replaced(self, reason: str) -> DiskReport:
        if self.read_only:
            return DiskReport(0, 0, (reason,))
        self._index.close()
        findings: list[str] = []
        self._index = open_index(self.folder / INDEX_NAME, False, findings)
        self._catalog = DiskCatalog(self._index)
        findings += recover(self._index, self._catalog, self._packs)
        remove_orphans(self._catalog, self._packs)
        self.damaged += len(findings)
        return DiskReport(0, 0, tuple(findings))

    def _free(self) -> int:
        return self.budget_bytes - self.used_bytes - HEADROOM_BYTES

    def _check_open(self) -> None:
        if self._closed:
            raise PoolError(f"{self.folder}: this store is closed")

    def _writable(self) -> None:
        if self.read_only:
            raise PoolError(f"{self.folder}: this store was opened read-only")

    def _cut(self, vector: DiskVector, references: Counter[bytes], offered: dict[bytes, memoryview]) -> bytes:
        """Digests of a vector's segments one after the other, counted and offered; none when it is on disk already."""
        if isinstance(vector.content, int):
            return b""
        view = vector.content.data
        parts = [view[start : start + self._segment_bytes] for start in range(0, len(view), self._segment_bytes)]
        names = [digest(part) for part in parts]
        references.update(names)
        offered.update(zip(names, parts, strict=True))
        return b"".join(names)

    def _place(
        self,
        record: ContextRecord,
        vectors: Sequence[DiskVector],
        pinned: bool | None,
        names: Sequence[bytes],
    ) -> tuple[int, ...]:
        """The rows of one context, inside the transaction; names: the digests each vector lists."""
        context = self._catalog.put_context(record, pinned)
        numbers = []
        for vector, listed in zip(vectors, names, strict=True):
            number = vector.content if isinstance(vector.content, int) else None
            if number is None:
                number = self._catalog.add_vector(vector, listed)
            numbers.append(number)
            self._catalog.hold(context, record.context_id, number, self._catalog.vector_seal(number))
        places = {(vector.kind.value, vector.name) for vector in vectors}
        held = self._catalog.vectors_of(context)
        replaced = [number for number, *place in held if tuple(place) in places and number not in numbers]
        self._catalog.let_go(context, replaced)
        return tuple(numbers)

    def _make_room(self, sizes: Mapping[bytes, int], references: int, items: Sequence[Save]) -> None:
        """Raise DiskFullError unless the save fits into the budget and leaves the headroom."""
        for attempt in range(2):
            needed = bytes_needed(items, references, sizes, self._index.used_bytes()) + HEADROOM_BYTES
            free = self.budget_bytes - self.used_bytes
            if needed <= free:
                return
            if attempt == 0:
                self._index.write_back()
        raise DiskFullError(self.folder, needed, free, self.budget_bytes)

    def _removable(self, contexts: Sequence[int]) -> int:
        """How many of those contexts, the first ones, may be removed in one transaction; 1 or more."""
        index_bytes = self._index.used_bytes()
        free = self.budget_bytes - self._packs.used_bytes() - index_bytes
        extents = dict.fromkeys(contexts, (0, 0)) | self._catalog.extent(contexts)
        return removable_at_once(extents, free, index_bytes)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """A transaction that adds nothing to speak of; when little room is left the log is emptied behind it."""
        with self._index.transaction():
            yield
        if self.used_bytes + HEADROOM_BYTES > self.budget_bytes:
            self._index.write_back()

    def _discard_of(self, contexts: Sequence[ListedContext]) -> bool:
        """Remove and count what is damaged of some contexts; False where nothing may be removed."""
        damaged = [each.number for each in contexts if each.stored is None]
        broken = {number for each in contexts for number, _ in each.broken}
        self.damaged += len(damaged) + len(broken)
        if not self.read_only:
            with self._changing():
                self._catalog.remove_contexts(damaged)
                self._catalog.drop_vectors(broken)
        return not self.read_only

    def _intact(self, context: int) -> tuple[tuple[Any, ...], ContextRecord, bool] | None:
        """Row, record and pin of a context; None when it is gone, or damaged and now removed."""
        try:
            return self._catalog.read_context(context)
        except DamagedIndexError:
            raise
        except PoolError:
            self.damaged += 1
            if not self.read_only:
                with self._changing():
                    self._catalog.remove_contexts([context])
            return None

    def _places(self, number: int) -> tuple[DiskVectorRow, list[SegmentPlace]]:
        try:
            return self._catalog.places(number)
        except DamagedVectorError:
            self._discard([number], set())
            raise

    def _discard(self, numbers: Sequence[int], lost: set[bytes]) -> None:
        """Remove damaged vectors and count them; remember which segments have to be written again."""
        with self._guard:
            self.damaged += len(numbers)
            if not self.read_only:
                with self._changing():
                    self._catalog.segments.lose(lost)
                    self._catalog.drop_vectors(numbers)

    def _change(self, context_ids: Iterable[str], value: ContextOutcome | bool) -> int:
        """Change the outcome or the pin of contexts in one transaction."""
        with self._guard:
            self._writable()
            found = {number: self._intact(number) for number in self._catalog.context_rows(set(context_ids))}
            present = {number: context for number, context in found.items() if context is not None}
            with self._changing():
                for number, (row, record, _) in present.items():
                    new = with_pin(row, value) if isinstance(value, bool) else with_outcome(row, value)
                    self._catalog.rewrite_context(number, new, record)
        return len(present)
