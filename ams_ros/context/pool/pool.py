"""The context pool: what inferences computed, kept in host memory and on disk (paper, section 3.2; spec C1-C7)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ams_ros.context.disk.disk_tier import DiskTier
from ams_ros.context.disk.portable import Damaged, Exported, export_contexts, read_contexts
from ams_ros.context.hashing.choice import find_hash
from ams_ros.context.host.host_tier import HostTier
from ams_ros.context.host.leases import LeaseTable
from ams_ros.context.host.shared_memory import SharedArea, area_name, remove_leftovers
from ams_ros.context.index.key_board import KeyBoard, bytes_for
from ams_ros.context.pool.admission import Admission
from ams_ros.context.pool.books import Books
from ams_ros.context.pool.context_order import FIRST_TO_GO
from ams_ros.context.pool.context_removal import ContextRemoval
from ams_ros.context.pool.curation import Curation
from ams_ros.context.pool.disk_keeping import DiskKeeping
from ams_ros.context.pool.host_room import HostRoom
from ams_ros.context.pool.marked_episodes import MarkedEpisodes
from ams_ros.context.pool.pool_check import check_pool
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.pool.pool_records import (
    Evicted,
    Found,
    Imported,
    ListedContext,
    Listing,
    PlacedContext,
    PoolFigures,
    PutResult,
    Verified,
)
from ams_ros.context.pool.reading import Reading
from ams_ros.context.pool.restoring import Restoring
from ams_ros.context.pool.similar_contexts import SimilarContexts
from ams_ros.context.records import ContextOutcome, ContextRecord, ModelKey, NewContext, VectorKind
from ams_ros.context.store import FetchedContext, FetchedVector, Match, SimilarQuery
from ams_ros.errors import ConfigurationError, PoolError


class ContextPool:
    """Stores contexts and finds them again. Any thread may call any method.

    Whatever moves bytes between tiers (put, eviction, verify ...) takes its turn at `_work`. Look-ups do not: they
    need the books only, for microseconds, unless what they want lies on disk. A context of another model key is never
    returned (C7). Byte budgets hold at every moment. Every method raises PoolError once the pool is closed.
    """

    def __init__(self, options: PoolOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the pool and index what is on disk; memory that dead processes left is removed first.

        clock: of the leases; what readers in other processes compare their deadline with is CLOCK_MONOTONIC.
        Raises PoolError when the store is in use, damaged beyond mending or of a later version, or when shared memory
        has no room.
        """
        self.options = options
        self._work = threading.RLock()
        self._closed = False
        self._leases = LeaseTable(clock)
        self._disk_bytes = 0
        remove_leftovers()
        self._disk = self._open_disk()
        self._areas: list[SharedArea] = []
        self._host: HostTier | None = None
        try:
            self._open_tiers(options)
            if self._disk is not None:
                self._restoring = Restoring(self._books, self._similar, self._removal, self._disk)
                self._restoring.restore()
        except BaseException:
            self._let_go()
            raise

    @property
    def memory(self) -> tuple[str, int]:
        """Name and bytes of the shared memory that pieces refer to."""
        return self._areas[0].name, self._areas[0].nbytes

    @property
    def key_board(self) -> tuple[str, int]:
        """Name and bytes of the shared memory with the board of input keys."""
        return self._areas[1].name, self._areas[1].nbytes

    @property
    def findings(self) -> tuple[str, ...]:
        """A line for each thing that opening the store had to mend."""
        return self._disk.findings if self._disk is not None else ()

    def put(self, context: NewContext, durable: bool = False, pinned: bool = False) -> PutResult:
        """Take a context in; one of that id that is there already stays as it is.

        durable: it is on disk when this returns; so is one whose outcome is succeeded, where there is a disk tier.
        Raises ConfigurationError for what cannot be kept, PoolError when it finds no room; nothing has changed then.
        """
        with self._working():
            try:
                result = self._admission.put(context, durable, pinned)
            except PoolError:
                with self._books.lock:
                    self._books.counts.refused += 1
                raise
            with self._books.lock:
                self._books.counts.puts += not result.known
            return result

    def find(self, model: ModelKey, keys: Sequence[bytes]) -> Found:
        """The vectors of those input keys of that model, in shared memory under one lease; others are missing."""
        self._check_open()
        return self._reading.find(model, keys)

    def fetch(self, model: ModelKey, keys: Sequence[bytes]) -> dict[bytes, FetchedVector]:
        """Copies of the vectors of those input keys of that model."""
        self._check_open()
        return self._reading.fetch(model, keys)

    def similar(self, query: SimilarQuery) -> tuple[Match, ...]:
        """The contexts of that model and instruction most similar to the query, most similar first."""
        self._check_open()
        return self._similar.search(query)

    def place_context(
        self, model: ModelKey | None, reference: str, index: int, kinds: Sequence[VectorKind]
    ) -> PlacedContext | None:
        """A context and where its vectors of these kinds lie, under one lease; None when there is no such context.

        reference: its id, or that of its episode, in which it has this index. model: None for any; raises
        ConfigurationError when it belongs to another.
        """
        self._check_open()
        return self._reading.place(model, reference, index, kinds)

    def context(
        self, model: ModelKey | None, reference: str, index: int, kinds: Sequence[VectorKind]
    ) -> FetchedContext | None:
        """As `place_context`, with copies of the vectors."""
        self._check_open()
        return self._reading.context(model, reference, index, kinds)

    def on_disk_only(self, model: ModelKey, keys: Sequence[bytes]) -> bool:
        """Whether `find` would have to read from disk."""
        self._check_open()
        return self._reading.on_disk_only(model, keys)

    def context_on_disk_only(self, reference: str, index: int, kinds: Sequence[VectorKind]) -> bool:
        """Whether `place_context` would have to read from disk."""
        self._check_open()
        return self._reading.context_on_disk_only(reference, index, kinds)

    def might_have(self, key: bytes) -> bool:
        """Whether the board lists that input key, which may be of another model."""
        return self._board.might_have(key)

    def release(self, lease: int) -> bool:
        """End a lease; False when it had ended already."""
        return self._reading.release(lease)

    def expire(self) -> bool:
        """End the leases whose deadline has passed; whether there were any. To be called now and then."""
        return self._reading.expire()

    def set_outcome(self, reference: str, outcome: ContextOutcome) -> int:
        """Say how it went with a context, or all of an episode; how many there are of that reference.

        It holds for contexts of the episode that come later as well, even when none has come yet.
        What succeeded is on disk when this returns, where there is a disk tier. Raises PoolError when it finds no
        room there; no outcome has changed in the pool then.
        """
        with self._working():
            return self._curation.set_outcome(reference, outcome)

    def pin(self, reference: str, pinned: bool) -> int:
        """Pin a context or all of an episode, or take the pin off; how many there are of that reference."""
        with self._working():
            return self._curation.pin(reference, pinned)

    def evict(self, reference: str = "", outcome: ContextOutcome | None = None, nbytes: int = 0) -> Evicted:
        """Remove contexts, from all tiers. Exactly one argument is to be given.

        reference: a context, or all of an episode. outcome: all unpinned ones of it. nbytes: unpinned ones, the first
        to go first, until that many bytes of host and disk have become free. Raises PoolError, with nothing removed,
        when one of `reference` is pinned.
        """
        with self._working():
            return self._curation.evict(reference, outcome, nbytes)

    def listing(
        self,
        reference: str = "",
        outcome: ContextOutcome | None = None,
        offset: int = 0,
        limit: int = 100,
        vectors: bool = False,
    ) -> Listing:
        """Contexts, newest first: all, or those of a reference, of an outcome. vectors: say where theirs lie too."""
        self._check_open()
        books = self._books
        with books.lock:
            entries = books.contexts.referred(reference) if reference else list(books.contexts)
        matching = [entry for entry in entries if outcome in (None, entry.outcome)]
        matching.sort(key=lambda entry: (entry.created, entry.index), reverse=True)
        listed = []
        for entry in matching[offset : offset + limit]:
            with books.lock:
                if books.contexts.named(entry.context_id) is entry:
                    places = tuple(books.place(number) for number in entry.vectors) if vectors else ()
                    listed.append(ListedContext(books.record(entry), entry.pinned, places))
        return Listing(len(matching), tuple(listed))

    def record(self, context_id: str) -> ContextRecord | None:
        """The record of a context; None when there is none of that id."""
        self._check_open()
        with self._books.lock:
            entry = self._books.contexts.named(context_id)
            return None if entry is None else self._books.record(entry)

    def stats(self) -> PoolFigures:
        """What the pool holds and has done. While something is written to disk, its size is that before."""
        self._check_open()
        disk = self._disk
        if disk is not None and self._work.acquire(blocking=False):
            try:
                self._disk_bytes = disk.used_bytes
            finally:
                self._work.release()
        with self._books.lock:
            books, counts = self._books, self._books.counts
            host_bytes = books.host.used_bytes
            return PoolFigures(
                contexts=len(books.contexts),
                succeeded=books.contexts.outcomes[ContextOutcome.SUCCEEDED],
                failed=books.contexts.outcomes[ContextOutcome.FAILED],
                pinned=books.contexts.pinned,
                leases=len(self._leases),
                host_bytes=host_bytes,
                host_budget=books.host.budget_bytes,
                disk_bytes=self._disk_bytes,
                disk_budget=disk.budget_bytes if disk is not None else 0,
                logical_bytes=books.logical_bytes,
                stored_bytes=host_bytes + books.disk_only_bytes,
                hits=counts.hits,
                misses=counts.misses,
                puts=counts.puts,
                refused=counts.refused,
                demotions=counts.demotions,
                drops=counts.drops,
                evictions=counts.evictions,
                damaged=disk.damaged if disk is not None else 0,
                policy=self.options.policy,
            )

    def verify(self) -> Verified:
        """Read everything on disk, remove what is damaged and say so; a read-only pool only says so."""
        self._check_open()
        if self._disk is None:
            return Verified(0, 0, ())
        # Not in turn with what moves bytes: it takes minutes, and the disk tier lets others in between.
        report = self._disk.verify()
        if report.damaged and not self.options.read_only:
            with self._working():
                self._restoring.compare()
        return Verified(report.contexts, report.vectors, report.damaged)

    def export(self, path: Path, reference: str = "") -> Exported:
        """Write all contexts, or those of a reference, with their vectors into one new file."""
        self._check_open()
        with self._books.lock:
            contexts = self._books.contexts
            ids = [entry.context_id for entry in (contexts.referred(reference) if reference else contexts)]
        found = (self._reading.portable(context_id) for context_id in ids)
        return export_contexts(path, (context for context in found if context is not None))

    def import_file(self, path: Path) -> Imported:
        """Take in the contexts of a portable file; what is damaged or finds no room is skipped and told."""
        taken = known = 0
        skipped: list[str] = []
        for context in read_contexts(path):
            if isinstance(context, Damaged):
                skipped.append(f"{context.context_id or 'a context'}: {context.reason}")
                continue
            try:
                result = self.put(context, pinned=context.pinned)
            except (PoolError, ConfigurationError) as error:
                skipped.append(f"{context.record.context_id}: {error}")
                continue
            known += result.known
            taken += not result.known
        return Imported(taken, known, tuple(skipped))

    def check(self) -> None:
        """Raise AssertionError when an invariant does not hold; takes as long as there are vectors."""
        with self._work, self._books.lock:
            check_pool(self._books, self._similar, self._disk)

    def close(self) -> None:
        """Keep on disk what is worth keeping and fits, then give everything back; a second call does nothing.

        Leases end. Raises PoolError when the disk refuses; everything is given back all the same.
        """
        with self._work:
            if self._closed:
                return
            self._closed = True
            try:
                self._reading.end_all()
                self._save_the_rest()
            finally:
                self._let_go()

    def _open_disk(self) -> DiskTier | None:
        options = self.options
        if options.path is None:
            return None
        return DiskTier(options.path, options.disk_bytes, options.read_only, options.segment_bytes, "the context pool")

    def _open_tiers(self, options: PoolOptions) -> None:
        """Shared memory, and the rooms on top of each other."""
        host_area = self._area("host", options.chosen_host_bytes(), "host_bytes")
        board_area = self._area("board", bytes_for(options.board_keys), "board_keys")
        self._board = KeyBoard(board_area.array.data)
        self._host = HostTier(host_area, find_hash(options.hash), options.segment_bytes)
        self._books = Books(self._host, self._board, options.policy, options.exact_limit)
        self._similar = SimilarContexts(self._books)
        self._removal = ContextRemoval(self._books, self._similar, self._disk)
        stored = None if self._disk is None else DiskKeeping(self._books, self._disk, self._removal, options)
        self._keeping = None if options.read_only else stored
        room = HostRoom(self._books, self._keeping, self._removal, self.expire)
        self._reading = Reading(self._books, room, stored, work=self._work, leases=self._leases, options=options)
        episodes = MarkedEpisodes()
        self._admission = Admission(
            self._books, self._similar, room, self._removal, keeping=self._keeping, episodes=episodes
        )
        self._curation = Curation(
            self._books, self._similar, self._removal, keeping=self._keeping, disk=self._disk, episodes=episodes
        )

    def _area(self, role: str, nbytes: int, setting: str) -> SharedArea:
        area = SharedArea.create(area_name(self.options.store, role), nbytes, setting)
        self._areas.append(area)
        return area

    def _save_the_rest(self) -> None:
        """Write what is not on disk yet: pinned contexts first, failed ones last, as long as there is room."""
        if self._keeping is None:
            return
        with self._books.lock:
            entries = list(self._books.contexts)
        rank = {outcome: place for place, outcome in enumerate(reversed(FIRST_TO_GO))}
        entries.sort(key=lambda entry: (not entry.pinned, rank[entry.outcome], -entry.created))
        self._keeping.save_what_fits(entries)

    def _let_go(self) -> None:
        if self._disk is not None:
            self._disk.close()
        if len(self._areas) > 1:
            self._board.close()
        if self._host is not None:
            self._host.close()
        for area in self._areas:
            area.close()

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Take a turn at moving bytes between tiers."""
        with self._work:
            self._check_open()
            if self.options.read_only:
                raise PoolError(f"{self.options.path}: the pool was opened read-only")
            yield

    def _check_open(self) -> None:
        if self._closed:
            raise PoolError("the context pool is closed")
