"""Which contexts began in a similar situation: the similarity index, and the books that say what its numbers mean."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np

from ams_ros.context.memory.columns import column, enlarged
from ams_ros.context.memory.half_rows import HalfArray
from ams_ros.context.pool.books import Books
from ams_ros.context.pool.context_table import ContextEntry
from ams_ros.context.records import ContextOutcome
from ams_ros.context.store import Match, SimilarQuery
from ams_ros.errors import ConfigurationError


class SimilarContexts:
    """A search has a lock of its own, so that it does not keep the books. Lock order: `lock`, then that of the books.

    A number leaves the index before the books give it to another context, both with `lock` held; so what a search
    finds is what the numbers mean when it ends.
    """

    def __init__(self, books: Books) -> None:
        """Over the embeddings of the books."""
        self.lock = threading.RLock()
        self._books, self._index = books, books.embeddings
        # By number of a context, whether an episode began with it; up to date for those that can be found.
        self._begins = column("B")

    def __len__(self) -> int:
        """How many contexts can be found."""
        return len(self._index)

    def add(self, entry: ContextEntry, digest: bytes) -> None:
        """Let a context be found; digest: of its model.

        Raises ConfigurationError when those it would be compared with have embeddings of another length.
        """
        with self.lock:
            self._index.add(entry.number, digest, entry.instruction, entry.outcome, entry.embedding)
            self._found(entry)

    def add_many(self, entries: Iterable[ContextEntry]) -> int:
        """Let many be found, which is faster by far; returns how many cannot be, for the length of their embedding."""
        groups: dict[tuple[bytes, str, ContextOutcome, int], list[tuple[ContextEntry, HalfArray]]] = {}
        for entry in entries:
            embedding = entry.embedding
            digest = self._books.models[entry.model].digest
            group = groups.setdefault((digest, entry.instruction, entry.outcome, len(embedding)), [])
            group.append((entry, embedding))
        refused = 0
        with self.lock:
            for (digest, instruction, outcome, _), members in sorted(groups.items(), key=lambda item: -len(item[1])):
                numbers = [entry.number for entry, _ in members]
                embeddings = np.stack([embedding for _, embedding in members])
                try:
                    self._index.add_many(numbers, digest, instruction, outcome, embeddings)
                except ConfigurationError:
                    # Written by a version with another length of embedding: still found by key, id and episode.
                    refused += len(members)
                    continue
                for entry, _ in members:
                    self._found(entry)
        return refused

    def remove(self, entry: ContextEntry) -> None:
        """Let a context not be found any more; called with both locks held."""
        if entry.indexed:
            entry.keep_embedding(self._index.embedding(entry.number))
            self._index.remove(entry.number)

    def move(self, entry: ContextEntry, outcome: ContextOutcome) -> None:
        """Let it be found under another outcome, or not at all where embeddings there have another length.

        Called with both locks held.
        """
        if not entry.indexed:
            return
        try:
            self._index.move(entry.number, outcome)
        except ConfigurationError:
            self.remove(entry)

    def search(self, query: SimilarQuery) -> tuple[Match, ...]:
        """As ContextStore.similar."""
        with self._books.lock:
            model = self._books.models.get(query.model)
        if model is None:
            return ()
        with self.lock:
            found = self._index.search(
                model.digest,
                query.instruction,
                query.outcomes,
                query.embedding,
                query.count,
                exact=query.exact,
                only=np.frombuffer(self._begins, np.bool_) if query.first_only else None,
            )
            with self._books.lock:
                entries = [(self._books.contexts.numbered(number), cosine) for number, cosine in found]
        return tuple(
            Match(entry.context_id, float(cosine), entry.outcome, entry.episode)
            for entry, cosine in entries
            if entry is not None
        )

    def _found(self, entry: ContextEntry) -> None:
        """It is in the index, which keeps its embedding."""
        entry.leave_embedding()
        self._begins = enlarged(self._begins, entry.number + 1)
        self._begins[entry.number] = bool(entry.episode) and entry.index == 0
