"""What others say about contexts that are in the pool: how it went, that they stay, that they go."""

from __future__ import annotations

from collections.abc import Sequence

from ams_ros.context.disk.disk_errors import DiskFullError
from ams_ros.context.disk.disk_tier import DiskTier
from ams_ros.context.pool.books import Books
from ams_ros.context.pool.context_removal import ContextRemoval
from ams_ros.context.pool.context_table import ContextEntry
from ams_ros.context.pool.disk_keeping import DiskKeeping
from ams_ros.context.pool.marked_episodes import MarkedEpisodes
from ams_ros.context.pool.pool_records import Evicted
from ams_ros.context.pool.similar_contexts import SimilarContexts
from ams_ros.context.records import ContextOutcome
from ams_ros.errors import ConfigurationError, PoolError


class Curation:
    """Changes and removes contexts by reference. Called by one thread at a time (the pool's work lock)."""

    def __init__(
        self,
        books: Books,
        similar: SimilarContexts,
        removal: ContextRemoval,
        *,
        keeping: DiskKeeping | None,
        disk: DiskTier | None,
        episodes: MarkedEpisodes,
    ) -> None:
        """keeping, disk: None when there is no disk tier. episodes: where marks of whole ones are left."""
        self._books, self._similar, self._removal = books, similar, removal
        self._keeping, self._disk, self._episodes = keeping, disk, episodes

    def set_outcome(self, reference: str, outcome: ContextOutcome) -> int:
        """As ContextPool.set_outcome."""
        entries = self._referred(reference)
        if self._keeping is not None and outcome is ContextOutcome.SUCCEEDED:
            self._save(entries, outcome)
        elif self._disk is not None:
            self._disk.set_outcome([entry.context_id for entry in entries if entry.saved], outcome)
        for entry in entries:
            with self._similar.lock, self._books.lock:
                self._similar.move(entry, outcome)
                self._books.set_outcome(entry, outcome)
        if all(entry.context_id != reference for entry in entries):
            self._episodes.mark(reference, outcome)
        return len(entries)

    def pin(self, reference: str, pinned: bool) -> int:
        """As ContextPool.pin."""
        entries = self._referred(reference)
        if self._disk is not None:
            self._disk.set_pinned([entry.context_id for entry in entries if entry.saved], pinned)
        with self._books.lock:
            for entry in entries:
                self._books.set_pinned(entry, pinned)
        return len(entries)

    def evict(self, reference: str, outcome: ContextOutcome | None, nbytes: int) -> Evicted:
        """As ContextPool.evict."""
        if (bool(reference), outcome is not None, nbytes > 0).count(True) != 1:
            raise ConfigurationError("evict", (reference, outcome, nbytes), "one of reference, outcome and bytes")
        before = self._used()
        if nbytes:
            count = self._evict_bytes(nbytes, before)
        elif reference:
            entries = self._referred(reference)
            if pinned := [entry.context_id for entry in entries if entry.pinned]:
                raise PoolError(f"{reference}: {', '.join(pinned[:5])} pinned; unpin before evicting")
            count = self._remove(entries)
        else:
            with self._books.lock:
                entries = [entry for entry in self._books.contexts if entry.outcome is outcome and not entry.pinned]
            count = self._remove(entries)
        return Evicted(count, max(0, before - self._used()))

    def _save(self, entries: Sequence[ContextEntry], outcome: ContextOutcome) -> None:
        """Write all of them at once, or one by one making room."""
        assert self._keeping is not None
        try:
            self._keeping.save(entries, outcome=outcome)
        except DiskFullError:
            for entry in entries:
                self._keeping.save_making_room(entry, outcome=outcome, beside=entries)

    def _referred(self, reference: str) -> list[ContextEntry]:
        with self._books.lock:
            return self._books.contexts.referred(reference)

    def _evict_bytes(self, nbytes: int, before: int) -> int:
        """Remove contexts, the first to go first, until so many bytes are free that were not."""
        count = 0
        while (missing := nbytes - (before - self._used())) > 0:
            with self._books.lock:
                chosen = self._first_to_go(missing)
            if not chosen:
                break
            count += self._remove(chosen)
        return count

    def _first_to_go(self, nbytes: int) -> list[ContextEntry]:
        """Unpinned contexts that nobody reads, with vectors of their own of that many bytes, or all there are."""
        books, chosen, total = self._books, list[ContextEntry](), 0
        for number in books.order.first_to_go():
            entry = books.contexts.numbered(number)
            if total >= nbytes or entry is None:
                break
            if entry.pinned or any(books.vectors.uses[each] for each in entry.vectors):
                continue
            chosen.append(entry)
            total += sum(
                books.vectors.layout(each).nbytes for each in entry.vectors if books.vectors.references(each) == 1
            )
        return chosen

    def _remove(self, entries: Sequence[ContextEntry]) -> int:
        self._removal.remove(*entries)
        if self._disk is not None and entries:
            self._disk.collect()
        return len(entries)

    def _used(self) -> int:
        return self._books.host.used_bytes + (self._disk.used_bytes if self._disk is not None else 0)
