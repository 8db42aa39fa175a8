"""Taking contexts out of every tier and index."""

from __future__ import annotations

from ams_ros.context.disk.disk_room import MAXIMUM_REMOVED
from ams_ros.context.disk.disk_tier import DiskTier
from ams_ros.context.pool.books import Books
from ams_ros.context.pool.context_table import ContextEntry
from ams_ros.context.pool.similar_contexts import SimilarContexts


class ContextRemoval:
    """Called by one thread at a time (the pool's work lock)."""

    def __init__(self, books: Books, similar: SimilarContexts, disk: DiskTier | None) -> None:
        """disk: None when there is no disk tier."""
        self._books, self._similar, self._disk = books, similar, disk

    def remove(self, *entries: ContextEntry) -> None:
        """Remove contexts; bytes that somebody reads under a lease stay until that ends.

        The disk comes first, for many at a time: where it refuses (PoolError), the rest of them stays as it is.
        """
        for start in range(0, len(entries), MAXIMUM_REMOVED):
            some = entries[start : start + MAXIMUM_REMOVED]
            if self._disk is not None and (saved := [entry.context_id for entry in some if entry.saved]):
                self._disk.remove_contexts(saved)
            for entry in some:
                with self._similar.lock, self._books.lock:
                    self._similar.remove(entry)
                    self._books.remove_context(entry)
