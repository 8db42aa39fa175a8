"""Looking vectors up: where they lie, under a lease, or a copy of them."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ams_ros.context.disk.portable import PortableContext
from ams_ros.context.host.leases import Lease, LeaseTable
from ams_ros.context.host.virtual_actions import TierFullError
from ams_ros.context.memory.warm_memory import WarmMemory
from ams_ros.context.pool.books import Books
from ams_ros.context.pool.context_table import ContextEntry
from ams_ros.context.pool.disk_keeping import DiskKeeping
from ams_ros.context.pool.host_room import HostRoom
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.pool.pool_records import DISK, HOST, Found, PlacedContext, VectorPlace
from ams_ros.context.records import Array, ModelKey, NewVector, VectorKind
from ams_ros.context.store import FetchedContext, FetchedVector
from ams_ros.errors import ConfigurationError


class Reading:
    """Finds vectors by key and contexts by reference. Any number of threads.

    What is in the host tier is answered from the books and waits for nothing. What is on disk only is first brought
    into the host tier, which needs the pool's work lock; where others keep that for longer than `promotion_seconds`,
    it is a miss. A vector that was looked up is in use from that moment: its number and its bytes stay its own.
    """

    def __init__(
        self,
        books: Books,
        room: HostRoom,
        keeping: DiskKeeping | None,
        *,
        work: threading.RLock,
        leases: LeaseTable,
        options: PoolOptions,
    ) -> None:
        """work: what whoever moves bytes between tiers holds. keeping: None when there is no disk."""
        self._books, self._room, self._keeping = books, room, keeping
        self._work, self._leases, self._options = work, leases, options
        self._memory = WarmMemory()

    def find(self, model: ModelKey, keys: Sequence[bytes]) -> Found:
        """The vectors of those input keys, under one lease."""
        with self._books.lock:
            wanted = self._wanted(model, keys)
            waiting = self._begin(wanted)
            if not waiting:
                self._count(len(wanted), len(keys))
                return Found(*self._lease(wanted))
        promoted = self._promote_all(wanted, waiting)
        with self._books.lock:
            ready = {each: key for each, key in wanted.items() if each not in waiting or each in promoted}
            self._count(len(ready), len(keys))
            return Found(*self._lease(ready, promoted))

    def fetch(self, model: ModelKey, keys: Sequence[bytes]) -> dict[bytes, FetchedVector]:
        """Copies of the vectors of those input keys."""
        with self._books.lock:
            wanted = self._wanted(model, keys)
            waiting = self._begin(wanted)
        fetched = self._copies(wanted, waiting)
        with self._books.lock:
            self._count(len(fetched), len(keys))
        return {wanted[number]: vector for number, vector in fetched.items()}

    def place(
        self, model: ModelKey | None, reference: str, index: int, kinds: Sequence[VectorKind]
    ) -> PlacedContext | None:
        """A context and where those of its vectors lie that are of these kinds, under one lease.

        model: whose it has to be, None for anybody's; raises ConfigurationError when it is another one's.
        """
        with self._books.lock:
            entry = self._entry(model, reference, index)
            if entry is None:
                return None
            record, pinned = self._books.record(entry), entry.pinned
            wanted = self._of_kinds(entry, kinds)
            waiting = self._begin(wanted)
        promoted = self._promote_all(wanted, waiting)
        with self._books.lock:
            ready = {each: key for each, key in wanted.items() if each not in waiting or each in promoted}
            return PlacedContext(record, pinned, *self._lease(ready, promoted))

    def context(
        self, model: ModelKey | None, reference: str, index: int, kinds: Sequence[VectorKind]
    ) -> FetchedContext | None:
        """As `place`, with copies."""
        with self._books.lock:
            entry = self._entry(model, reference, index)
            if entry is None:
                return None
            record = self._books.record(entry)
            wanted = self._of_kinds(entry, kinds)
            waiting = self._begin(wanted)
        return FetchedContext(record, tuple(self._copies(wanted, waiting).values()))

    def on_disk_only(self, model: ModelKey, keys: Sequence[bytes]) -> bool:
        """Whether `find` would read from disk."""
        with self._books.lock:
            return any(not self._books.vectors.in_host(number) for number in self._wanted(model, keys))

    def context_on_disk_only(self, reference: str, index: int, kinds: Sequence[VectorKind]) -> bool:
        """Whether `place` would read from disk."""
        with self._books.lock:
            entry = self._books.contexts.placed(reference, index)
            wanted = {} if entry is None else self._of_kinds(entry, kinds)
            return any(not self._books.vectors.in_host(number) for number in wanted)

    def release(self, lease: int) -> bool:
        """End a lease; False when it had ended already."""
        return self._end(self._leases.release(lease) or ())

    def expire(self) -> bool:
        """End the leases whose deadline has passed; whether there were any."""
        return self._end(self._leases.expired())

    def end_all(self) -> None:
        """End every lease."""
        self._end(self._leases.end_all())

    def portable(self, context_id: str) -> PortableContext | None:
        """A context with all its vectors, as it is carried elsewhere; nothing is counted or moved between tiers."""
        books, arrays = self._books, dict[int, Array]()
        with self._work:
            with books.lock:
                entry = books.contexts.named(context_id)
                if entry is None:
                    return None
                record, pinned = self._books.record(entry), entry.pinned
                wanted = self._of_kinds(entry, tuple(VectorKind))
                places = {number: books.place(number) for number in wanted}
                inside = [number for number in wanted if books.vectors.in_host(number)]
                for number in inside:
                    books.begin_use(number)
            for number in wanted:
                array = self._copy(number) if number in inside else self._loaded(number)
                if array is not None:
                    arrays[number] = array
        vectors = tuple(
            NewVector(places[number].kind, places[number].name, array, places[number].key, places[number].cost)
            for number, array in arrays.items()
        )
        return PortableContext(record, vectors, pinned)

    def _loaded(self, number: int) -> Array | None:
        return None if self._keeping is None else self._keeping.load(number)

    def _end(self, numbers: Sequence[int]) -> bool:
        with self._books.lock:
            for number in numbers:
                self._books.end_use(number)
        return bool(numbers)

    def _wanted(self, model: ModelKey, keys: Sequence[bytes]) -> dict[int, bytes]:
        """The vectors of those keys that lie in some tier; their contexts count as used."""
        books, wanted = self._books, {}
        for key in keys:
            number = books.key_of(model, key)
            if number is not None and books.vectors.to_be_had(number):
                wanted[number] = key
        return wanted

    def _of_kinds(self, entry: ContextEntry, kinds: Sequence[VectorKind]) -> dict[int, bytes]:
        """The vectors of a context of those kinds that lie in some tier."""
        table = self._books.vectors
        return {
            number: table.key(number)
            for number in entry.vectors
            if table.layout(number).kind in kinds and table.to_be_had(number)
        }

    def _entry(self, model: ModelKey | None, reference: str, index: int) -> ContextEntry | None:
        entry = self._books.contexts.placed(reference, index)
        self._count(int(entry is not None), 1)
        if entry is not None and model is not None and entry.model != model:
            raise ConfigurationError(
                f"model of context {entry.context_id}", entry.model.to_json(), f"that of the reader, {model.to_json()}"
            )
        if entry is not None:
            self._books.order.used(entry.number, entry.outcome)
        return entry

    def _begin(self, wanted: Iterable[int]) -> set[int]:
        """Use all of them; those that are on disk only, whose bytes have yet to come."""
        books, waiting = self._books, set()
        for number in wanted:
            if books.vectors.in_host(number):
                books.begin_use(number)
            else:
                books.vectors.uses[number] += 1
                waiting.add(number)
            books.count_access(number)
        return waiting

    def _promote_all(self, wanted: Iterable[int], waiting: set[int]) -> set[int]:
        """Bring vectors in use into the host tier that are not there; those that could not be brought are given up."""
        return {number for number, brought in self._bring(wanted, waiting).items() if brought is True}

    def _bring(self, wanted: Iterable[int], waiting: set[int]) -> dict[int, Array | bool]:
        """What `_promote` says of each; when it raises, none of `wanted` is in use any more."""
        brought: dict[int, Array | bool] = {}
        try:
            for number in waiting:
                brought[number] = self._promote(number)
        except BaseException:
            with self._books.lock:
                for number in wanted:
                    if number not in waiting or brought.get(number) is True:
                        self._books.end_use(number)
                    elif number not in brought:
                        self._books.end_waiting(number)
            raise
        return brought

    def _promote(self, number: int) -> Array | bool:
        """Bring one in: True, now in use there; its bytes, where the host tier has no room; False, there are none."""
        loaded: Array | None = None
        came = False
        if self._work.acquire(timeout=self._options.promotion_seconds):
            try:
                came = self._came(number)
                if not came:
                    loaded = self._loaded(number)
                    came = loaded is not None and self._store(number, loaded)
            finally:
                self._work.release()
        if came:
            return True
        with self._books.lock:
            self._books.end_waiting(number)
        return False if loaded is None else loaded

    def _came(self, number: int) -> bool:
        """Whether it is in the host tier by now; then its bytes are in use too."""
        with self._books.lock:
            if not self._books.vectors.references(number) or not self._books.vectors.in_host(number):
                return False
            self._books.host.hold(self._books.vectors.actions(number))
            return True

    def _store(self, number: int, array: Array) -> bool:
        """Enter loaded bytes into the host tier, where there is or can be made room for them."""
        try:
            actions = self._room.store(array.reshape(-1).view(np.uint8), may_lose=False)
        except TierFullError:
            return False
        with self._books.lock:
            if not self._books.vectors.references(number):
                self._books.host.release(actions)
                return False
            self._books.put_in_host(number, actions)
        return self._came(number)

    def _copies(self, wanted: Iterable[int], waiting: set[int]) -> dict[int, FetchedVector]:
        """Copies of vectors in use, which are not any more then."""
        layouts = {number: self._books.vectors.layout(number) for number in wanted}
        brought = self._bring(wanted, waiting)
        copies: dict[int, FetchedVector] = {}
        for number, layout in layouts.items():
            came = brought.get(number, True)
            if came is not False:
                array = self._copy(number) if came is True else came
                copies[number] = FetchedVector(layout.kind, layout.name, array, DISK if number in waiting else HOST)
        return copies

    def _copy(self, number: int) -> Array:
        table = self._books.vectors
        layout = table.layout(number)
        content = self._memory.empty(layout.nbytes)
        try:
            self._books.host.load(table.actions(number), content)
        finally:
            with self._books.lock:
                self._books.end_use(number)
        return content.view(layout.dtype).reshape(layout.shape)

    def _lease(
        self, ready: Mapping[int, bytes], promoted: Container[int] = ()
    ) -> tuple[tuple[VectorPlace, ...], Lease | None]:
        """Where vectors in use lie, and the lease that ends the use. ready: their keys by number."""
        if not ready:
            return (), None
        books, places = self._books, []
        for number, key in ready.items():
            place = books.place(number, books.host.extents(books.vectors.actions(number)))
            if number in promoted:
                place = replace(place, tier=DISK)
            if place.key != key:
                # Its last context went while others were read from disk, and its key with it.
                place = replace(place, key=key)
            places.append(place)
        return tuple(places), self._leases.grant(tuple(ready), self._options.lease_seconds)

    def _count(self, hits: int, asked: int) -> None:
        self._books.counts.hits += hits
        self._books.counts.misses += asked - hits
