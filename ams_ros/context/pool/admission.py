"""Taking a context into the pool: all of it or nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ams_ros.context.disk.disk_records import MAXIMUM_NAME_BYTES
from ams_ros.context.pool.books import Books, ModelEntry
from ams_ros.context.pool.context_removal import ContextRemoval
from ams_ros.context.pool.context_table import ContextEntry
from ams_ros.context.pool.disk_keeping import DiskKeeping
from ams_ros.context.pool.host_room import HostRoom
from ams_ros.context.pool.marked_episodes import MarkedEpisodes
from ams_ros.context.pool.pool_records import PutResult
from ams_ros.context.pool.similar_contexts import SimilarContexts
from ams_ros.context.pool.vector_table import VectorLayout, layout_of
from ams_ros.context.records import ContextOutcome, NewContext, NewVector
from ams_ros.errors import ConfigurationError, PoolError


@dataclass(slots=True)
class _Arrival:
    """A context on its way in. number: of the context. shared: vectors it refers to and reads, which others brought.

    actions: of the contents stored for it, by place; what is not yet a vector's has to be released on failure.
    """

    context: NewContext
    number: int
    shared: dict[int, int] = field(default_factory=dict)
    actions: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def stored(self) -> list[int]:
        """All actions stored for it."""
        return [action for each in self.actions.values() for action in each]


class Admission:
    """Puts contexts. Called by one thread at a time (the pool's work lock)."""

    def __init__(
        self,
        books: Books,
        similar: SimilarContexts,
        room: HostRoom,
        removal: ContextRemoval,
        *,
        keeping: DiskKeeping | None,
        episodes: MarkedEpisodes,
    ) -> None:
        """keeping: None when there is no disk. episodes: those of which it is known how they went."""
        self._books, self._similar, self._room = books, similar, room
        self._removal, self._keeping, self._episodes = removal, keeping, episodes

    def put(self, context: NewContext, durable: bool, pinned: bool = False) -> PutResult:
        """Take a context in; one of that id that is there already stays as it is.

        One that does not say how it went goes by what its episode was marked with.
        durable: on disk with all its vectors at return; one that succeeded is on disk with all that is worth it.
        Raises ConfigurationError for what cannot be kept, PoolError when it does not fit; the pool is then as before.
        """
        context = self._episodes.marked(context)
        record = context.record
        self._check(context)
        with self._books.lock:
            known = self._books.contexts.named(record.context_id)
        if known is not None:
            return self._known(known, context, durable)
        entry, new_bytes = self._enter(context, pinned)
        kept = durable or (self._keeping is not None and record.outcome is ContextOutcome.SUCCEEDED)
        if kept:
            try:
                self._save(entry, durable)
            except PoolError:
                self._removal.remove(entry)
                raise
        return PutResult(new_bytes, False)

    def _known(self, entry: ContextEntry, context: NewContext, durable: bool) -> PutResult:
        if entry.model != context.record.model:
            raise PoolError(f"context {entry.context_id}: another model has put a context of that id")
        if durable:
            self._save(entry, True)
        return PutResult(0, True)

    def _save(self, entry: ContextEntry, whole: bool) -> None:
        if self._keeping is None:
            raise PoolError(f"context {entry.context_id}: cannot be durable, the pool has no disk tier (path)")
        self._keeping.save_making_room(entry, whole)

    def _check(self, context: NewContext) -> None:
        """Refuse what a later tier would refuse, before anything has changed."""
        keys = [vector.key for vector in context.vectors if vector.key]
        if len(set(keys)) != len(keys):
            raise ConfigurationError("keys of vectors", len(keys), "each once within a context")
        for vector in context.vectors:
            if not 0.0 <= vector.cost < math.inf:
                raise ConfigurationError(f"cost of {_label(vector, context)}", vector.cost, "seconds, 0 or more")
            if len(vector.name.encode()) > MAXIMUM_NAME_BYTES:
                allowed = f"at most {MAXIMUM_NAME_BYTES} bytes"
                raise ConfigurationError(f"name of {_label(vector, context)}", vector.name[:80], allowed)

    def _enter(self, context: NewContext, pinned: bool) -> tuple[ContextEntry, int]:
        """Store what is new and let the context be found; the entry, and the bytes that are new."""
        books = self._books
        with books.lock:
            model = books.begin_arrival(context.record.model)
            arrival = _Arrival(context, books.contexts.numbers.take())
        try:
            with books.lock:
                self._share(arrival, model, pinned)
            for place, vector in enumerate(context.vectors):
                number = arrival.shared.get(place)
                if number is None or not books.vectors.in_host(number):
                    arrival.actions[place] = self._room.store(_content(vector), may_lose=True)
            new_bytes = books.host.freed_by(arrival.stored)
            return self._publish(arrival, model, pinned), new_bytes
        except BaseException:
            with books.lock:
                self._undo(arrival, model, pinned)
            raise
        finally:
            with books.lock:
                books.end_arrival(model)

    def _share(self, arrival: _Arrival, model: ModelEntry, pinned: bool) -> None:
        """Refer to the vectors that are there already, so that making room for the others does not take them."""
        books = self._books
        for place, vector in enumerate(arrival.context.vectors):
            number = model.index.find(vector.key) if vector.key else None
            if number is None:
                continue
            if books.vectors.layout(number) != _layout(vector):
                raise ConfigurationError(
                    f"key of vector {vector.kind.value}", vector.key.hex(), "one that does not stand for another vector"
                )
            books.refer(number, arrival.number, pinned)
            books.vectors.uses[number] += 1
            arrival.shared[place] = number

    def _publish(self, arrival: _Arrival, model: ModelEntry, pinned: bool) -> ContextEntry:
        books, context = self._books, arrival.context
        entry = ContextEntry(arrival.number, context.record, (), pinned)
        with self._similar.lock:
            self._similar.add(entry, model.digest)
            with books.lock:
                entry.vectors = [
                    self._vector(arrival, model, place, vector, pinned) for place, vector in enumerate(context.vectors)
                ]
                books.add_context(entry, model)
                for number in arrival.shared.values():
                    books.vectors.uses[number] -= 1
        return entry

    def _vector(self, arrival: _Arrival, model: ModelEntry, place: int, vector: NewVector, pinned: bool) -> int:
        """The vector of that place, which now refers to the actions stored for it, if any."""
        books = self._books
        number, actions = arrival.shared.get(place), arrival.actions.pop(place, ())
        if number is None:
            return books.add_vector(vector, actions, arrival.number, pinned, model)
        if actions:
            books.put_in_host(number, actions)
        else:
            # To be put once more is a use like any other.
            books.policy.accessed(number)
        return number

    def _undo(self, arrival: _Arrival, model: ModelEntry, pinned: bool) -> None:
        """As if nothing had been put."""
        books = self._books
        for number in arrival.shared.values():
            books.vectors.uses[number] -= 1
            books.detach(number, arrival.number, pinned, model.key)
        books.host.release(arrival.stored)
        books.contexts.numbers.give_back(arrival.number)


def _content(vector: NewVector) -> np.ndarray:
    """Its bytes, (nbytes,) uint8, without a copy."""
    return vector.array.reshape(-1).view(np.uint8)


def _layout(vector: NewVector) -> VectorLayout:
    return layout_of(vector.kind, vector.name, vector.array.dtype, vector.array.shape)


def _label(vector: NewVector, context: NewContext) -> str:
    return f"vector {vector.kind.value} of context {context.record.context_id}"
