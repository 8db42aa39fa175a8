"""Taking a context out of every tier and index."""

from __future__ import annotations

from ams_ros.context.books import Books
from ams_ros.context.context_table import ContextEntry
from ams_ros.context.disk_tier import DiskTier
from ams_ros.context.similar_contexts import SimilarContexts


class ContextRemoval:
    """Called by one thread at a time (the pool's work lock)."""

    def __init__(self, books: Books, similar: SimilarContexts, disk: DiskTier | None) -> None:
        """disk: None when there is no disk tier."""
        self._books, self._similar, self._disk = books, similar, disk

    def remove(self, entry: ContextEntry) -> None:
        """Remove a context; bytes that somebody reads under a lease stay until that ends.

        The disk comes first: where it refuses (PoolError), nothing has changed.
        """
        if entry.saved and self._disk is not None:
            self._disk.remove_context(entry.context_id)
        with self._similar.lock:
            self._similar.remove(entry)
            with self._books.lock:
                self._books.remove_context(entry)
