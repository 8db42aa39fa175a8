"""What the pool knows: contexts, vectors, keys, order of eviction. No bytes are moved here and nothing waits.

Every method but `check` takes microseconds and is called with `lock` held. Embeddings lie in the similarity index
alone; what takes one out or moves it holds `lock` too, so that who holds it can read those of all contexts.
Invariants, which `check` compares: a vector refers to its contexts as often as they refer to it; it is known to the
eviction policy exactly while it is in the host tier; its key is on the board exactly while it is to be had; one that
lies on disk only is held there for every context that refers to it, so that whichever of them goes, the others still
have it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ams_ros.context.eviction.choice import find_policy
from ams_ros.context.eviction.policy import VectorFacts
from ams_ros.context.hashing.blake3 import Blake3Hash
from ams_ros.context.host.host_tier import HostTier
from ams_ros.context.index.action_index import ActionIndex
from ams_ros.context.index.key_board import KeyBoard
from ams_ros.context.index.similarity import SimilarityIndex
from ams_ros.context.pool.context_order import ContextOrder
from ams_ros.context.pool.context_table import ContextEntry, ContextTable
from ams_ros.context.pool.pool_records import DISK, HOST, NOWHERE, VectorPlace
from ams_ros.context.pool.vector_table import VectorTable, layout_of
from ams_ros.context.records import ContextOutcome, ContextRecord, ModelKey, NewVector


@dataclass(slots=True)
class Counts:
    """What has happened since the pool was opened; as in PoolFigures."""

    hits: int = 0
    misses: int = 0
    puts: int = 0
    refused: int = 0
    demotions: int = 0
    drops: int = 0
    evictions: int = 0


@dataclass(slots=True)
class ModelEntry:
    """One model key: its canonical instance, its digest (which takes long to compute), and what its keys stand for.

    contexts: how many are of it. arriving: those on their way in, for which the last of the others may have to go.
    """

    key: ModelKey
    digest: bytes
    index: ActionIndex
    contexts: int = 0
    arriving: int = 0


class Books:
    """The bookkeeping of one pool over its host tier."""

    def __init__(self, host: HostTier, board: KeyBoard, policy: str, exact_limit: int) -> None:
        """Empty. policy: a name of eviction.choice. exact_limit: as for SimilarityIndex."""
        self.lock = threading.RLock()
        self.host, self._board = host, board
        self.vectors, self.contexts = VectorTable(), ContextTable()
        self.policy, self.order = find_policy(policy), ContextOrder(policy)
        self.embeddings = SimilarityIndex(exact_limit)
        self.models: dict[ModelKey, ModelEntry] = {}
        self.counts = Counts()
        self.logical_bytes = self.disk_only_bytes = 0

    # Contexts.

    def model(self, key: ModelKey) -> ModelEntry:
        """The entry of a model key, made when there is none."""
        found = self.models.get(key)
        if found is None:
            index = ActionIndex(Blake3Hash(), self.vectors.key_rows)
            found = self.models[key] = ModelEntry(key, _digest(key), index)
        return found

    def begin_arrival(self, key: ModelKey) -> ModelEntry:
        """As `model`; the entry stays until `end_arrival`."""
        model = self.model(key)
        model.arriving += 1
        return model

    def end_arrival(self, model: ModelEntry) -> None:
        """The context that came has been added, or does not come."""
        model.arriving -= 1
        self._forget_unused(model)

    def add_context(self, entry: ContextEntry, model: ModelEntry) -> None:
        """Enter a context whose number was taken from `contexts.numbers`; its vectors refer to it already."""
        entry.model = model.key
        model.contexts += 1
        self.contexts.add(entry)
        self._order(entry)

    def remove_context(self, entry: ContextEntry) -> None:
        """Take a context out of everything, and with it the vectors no other one refers to."""
        self.order.remove(entry.number, entry.outcome)
        self.contexts.remove(entry)
        for number in entry.vectors:
            self.detach(number, entry.number, entry.pinned, entry.model)
        model = self.models[entry.model]
        model.contexts -= 1
        self._forget_unused(model)

    def record(self, entry: ContextEntry) -> ContextRecord:
        """The record of a context as it stands now, with arrays of its own."""
        embedding = self.embeddings.embedding(entry.number) if entry.indexed else entry.embedding.astype(np.float32)
        return entry.record(embedding)

    def refer(self, number: int, context: int, pinned: bool) -> None:
        """Let a vector belong to a context that does not have it yet."""
        with self._changing(number):
            self.vectors.attach(number, context, pinned)

    def detach(self, number: int, context: int, pinned: bool, model: ModelKey) -> None:
        """Let a vector no longer belong to a context that does not list it (any more); it goes with the last one."""
        with self._changing(number):
            self.vectors.detach(number, context, pinned)
            if not self.vectors.references(number):
                self._bury(number, model)
            elif self.vectors.disk[number] and not self.held_for_any(number):
                # The disk tier deletes a vector with the last context it holds it for.
                self.vectors.disk[number] = 0
        if not self.vectors.references(number) and not self.vectors.uses[number]:
            self.vectors.discard(number)

    def set_outcome(self, entry: ContextEntry, outcome: ContextOutcome) -> None:
        """Change the outcome."""
        self.order.remove(entry.number, entry.outcome)
        self.contexts.set_outcome(entry, outcome)
        self._order(entry)

    def set_pinned(self, entry: ContextEntry, pinned: bool) -> None:
        """Set the pin or take it off."""
        change = pinned - entry.pinned
        entry.pinned = pinned
        self.contexts.pinned += change
        for number in entry.vectors:
            self.vectors.pins[number] += change

    # Vectors.

    def key_of(self, model: ModelKey, key: bytes) -> int | None:
        """The vector of that input key for that model, wherever it lies."""
        entry = self.models.get(model)
        return None if entry is None else entry.index.find(key)

    def add_vector(
        self, arrival: NewVector, actions: tuple[int, ...], context: int, pinned: bool, model: ModelEntry
    ) -> int:
        """A new vector of a context, complete in the host tier in these actions, which are now its to release."""
        table, layout = self.vectors, layout_of(arrival.kind, arrival.name, arrival.array.dtype, arrival.array.shape)
        number = table.add(layout, arrival.cost)
        table.attach(number, context, pinned)
        table.set_actions(number, actions)
        self.logical_bytes += layout.nbytes
        if arrival.key:
            self.enter_key(number, arrival.key, model)
        self.policy.admitted(VectorFacts(number, layout.kind, layout.nbytes, arrival.cost))
        return number

    def enter_key(self, number: int, key: bytes, model: ModelEntry) -> None:
        """Let a vector be found by its key."""
        self.vectors.set_key(number, model.index.add(key, number))
        if self.vectors.to_be_had(number):
            self._board.add(key)

    def put_in_host(self, number: int, actions: tuple[int, ...]) -> None:
        """Its bytes are complete in the host tier, in these actions, which are now the vector's to release."""
        layout = self.vectors.layout(number)
        with self._changing(number):
            self.vectors.set_actions(number, actions)
        self.policy.admitted(VectorFacts(number, layout.kind, layout.nbytes, self.vectors.cost[number]))

    def take_from_host(self, number: int) -> None:
        """Give its bytes in the host tier up."""
        actions = self.vectors.actions(number)
        with self._changing(number):
            self.vectors.set_actions(number, ())
        self.policy.removed(number)
        self.host.release(actions)

    def set_disk(self, number: int, disk: int) -> None:
        """Say what the disk tier calls it; 0: it does not have it (any more), for no context."""
        with self._changing(number):
            self.vectors.disk[number] = disk
        if not disk:
            for entry in self._referring(number):
                entry.held &= ~self._bit(entry, number)

    def hold_on_disk(self, number: int, entry: ContextEntry, disk: int) -> None:
        """The disk tier has it under that number, for that context."""
        self.set_disk(number, disk)
        entry.held |= self._bit(entry, number)

    def holds(self, entry: ContextEntry, number: int) -> bool:
        """Whether the disk tier has that vector for that context."""
        return bool(entry.held & self._bit(entry, number))

    def held_for_all(self, number: int) -> bool:
        """Whether the disk tier has it for every context that refers to it."""
        if not self.vectors.disk[number]:
            return False
        referrers = self.vectors.referrers(number)
        entries = [self.contexts.numbered(each) for each in referrers]
        return all(entry is not None and self.holds(entry, number) for entry in entries)

    def held_for_any(self, number: int) -> bool:
        """Whether the disk tier has it for some context."""
        return any(self.holds(entry, number) for entry in self._referring(number))

    def let_go_on_disk(self, number: int, entry: ContextEntry) -> None:
        """The disk tier has it no longer for that context."""
        entry.held &= ~self._bit(entry, number)

    def take_out(self, number: int, entry: ContextEntry) -> None:
        """Take a vector out of a context as if it had been put without."""
        place = list(entry.vectors).index(number)
        entry.held = (entry.held & ((1 << place) - 1)) | (entry.held >> (place + 1) << place)
        entry.vectors = [each for each in entry.vectors if each != number]
        self.detach(number, entry.number, entry.pinned, entry.model)

    def forget(self, number: int) -> None:
        """Its bytes are lost: take it out of every context."""
        self.set_disk(number, 0)
        for entry in self._referring(number):
            self.take_out(number, entry)

    def begin_use(self, number: int) -> None:
        """A reader is at its bytes in the host tier: they stay until `end_use`."""
        self.vectors.uses[number] += 1
        self.host.hold(self.vectors.actions(number))

    def end_use(self, number: int) -> None:
        """A reader has gone."""
        actions = self.vectors.actions(number)
        self.end_waiting(number)
        self.host.let_go(actions)

    def end_waiting(self, number: int) -> None:
        """Somebody who waited for its bytes has given up."""
        self.vectors.uses[number] -= 1
        if not self.vectors.references(number) and not self.vectors.uses[number]:
            self.vectors.discard(number)

    def listed(self, key: bytes) -> bool:
        """Whether the board lists a key."""
        return self._board.might_have(key)

    def readers(self) -> int:
        """How many vectors somebody reads."""
        return sum(1 for number in self.vectors if self.vectors.uses[number])

    def count_access(self, number: int) -> None:
        """It was read, and so was the context that came to refer to it last."""
        self.vectors.accesses[number] += 1
        if self.vectors.in_host(number):
            self.policy.accessed(number)
        entry = self.contexts.numbered(self.vectors.last_referrer(number))
        if entry is not None:
            self.order.used(entry.number, entry.outcome)

    def place(self, number: int, pieces: tuple[tuple[int, int], ...] = ()) -> VectorPlace:
        """What to tell of a vector."""
        table, layout = self.vectors, self.vectors.layout(number)
        tier = HOST if table.in_host(number) else DISK if table.disk[number] else NOWHERE
        return VectorPlace(
            kind=layout.kind,
            name=layout.name,
            key=table.key(number),
            dtype=layout.dtype,
            shape=layout.shape,
            nbytes=layout.nbytes,
            cost=table.cost[number],
            accesses=table.accesses[number],
            tier=tier,
            pieces=pieces,
        )

    def _bury(self, number: int, model: ModelKey) -> None:
        """Nobody refers to it any more. Its actions stay on record for readers that still have to let go of them."""
        actions = self.vectors.actions(number)
        if key := self.vectors.key(number):
            self.models[model].index.remove(key, number)
            self.vectors.drop_key(number)
        self.vectors.disk[number] = 0
        if actions:
            self.policy.removed(number)
            self.host.release(actions)
        if not self.vectors.uses[number]:
            self.vectors.set_actions(number, ())

    def _forget_unused(self, model: ModelEntry) -> None:
        if not (model.contexts or model.arriving):
            del self.models[model.key]

    def _order(self, entry: ContextEntry) -> None:
        nbytes = sum(self.vectors.layout(number).nbytes for number in entry.vectors)
        cost = sum(self.vectors.cost[number] for number in entry.vectors)
        self.order.add(entry.number, entry.outcome, nbytes, cost)

    def _referring(self, number: int) -> list[ContextEntry]:
        entries = (self.contexts.numbered(each) for each in self.vectors.referrers(number))
        return [entry for entry in entries if entry is not None]

    def _bit(self, entry: ContextEntry, number: int) -> int:
        return 1 << list(entry.vectors).index(number)

    @contextmanager
    def _changing(self, number: int) -> Iterator[None]:
        """Around a change of where a vector lies or who refers to it: keeps sums and board true."""
        before, key = self._tally(number, -1), self.vectors.key(number)
        yield
        after = self._tally(number, 1)
        if key and before != after:
            (self._board.add if after else self._board.remove)(key)

    def _tally(self, number: int, sign: int) -> bool:
        """Add or take a vector's share of the sums; whether it is to be had."""
        table = self.vectors
        if not table.references(number) or not table.to_be_had(number):
            return False
        nbytes = table.layout(number).nbytes
        self.logical_bytes += sign * nbytes * table.references(number)
        if not table.in_host(number):
            self.disk_only_bytes += sign * nbytes
        return True


@lru_cache(maxsize=64)
def _digest(model: ModelKey) -> bytes:
    """Its digest, which takes longer to compute than most of a put."""
    return model.digest
