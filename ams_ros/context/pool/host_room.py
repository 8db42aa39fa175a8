"""Making room in the host tier: what is demoted, what is dropped, which contexts go (C3, C6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ams_ros.context.disk.disk_errors import DiskFullError
from ams_ros.context.host.virtual_actions import TierFullError
from ams_ros.context.pool.books import Books
from ams_ros.context.pool.context_removal import ContextRemoval
from ams_ros.context.pool.context_table import ContextEntry
from ams_ros.context.pool.disk_keeping import DiskKeeping


@dataclass(slots=True)
class _Plan:
    """What is to leave. expected: bytes that frees at least; possible: bytes it frees at most, where they share."""

    vectors: list[int] = field(default_factory=list)
    contexts: list[ContextEntry] = field(default_factory=list)
    expected: int = 0
    possible: int = 0


class HostRoom:
    """Lets vectors leave the host tier in the order of the eviction policy.

    What is on disk already is only released. What can be computed again in less time than it takes to read is
    dropped. The rest is written to disk; where there is none, or it is full, a whole context goes instead: failed
    ones first, succeeded ones last. Vectors in use and pinned contexts stay, but that a pinned vector of which the
    disk has a copy may give its place up when nothing else is left.
    Called by one thread at a time (the pool's work lock).
    """

    def __init__(
        self, books: Books, keeping: DiskKeeping | None, removal: ContextRemoval, expire: Callable[[], object]
    ) -> None:
        """keeping: None when nothing can be written to disk. expire: ends the leases that are over."""
        self._books, self._keeping, self._removal, self._expire = books, keeping, removal, expire

    def store(self, content: NDArray[np.uint8], may_lose: bool) -> tuple[int, ...]:
        """Keep (n,) uint8 in the host tier; its actions.

        may_lose: whether contexts may go for it. Raises TierFullError when there is no room to be made.
        """
        host = self._books.host
        if content.nbytes > host.budget_bytes:
            raise TierFullError(content.nbytes, host.budget_bytes - host.used_bytes)
        while True:
            try:
                return host.store(content)
            except TierFullError as full:
                if not self._make(max(full.needed - full.free, 1), may_lose):
                    raise

    def _make(self, needed: int, may_lose: bool) -> bool:
        """Free that many bytes, or some on the way there; False when so many cannot be freed, and nothing was."""
        self._expire()
        before = self._books.host.used_bytes
        with self._books.lock:
            plan = self._plan(needed, may_lose)
        if plan.possible < needed:
            return False
        for number in plan.vectors:
            self._let_leave(number, may_lose)
        for entry in plan.contexts:
            if self._books.contexts.named(entry.context_id) is entry:
                self._evict(entry)
        return self._books.host.used_bytes < before

    def _plan(self, needed: int, may_lose: bool) -> _Plan:
        """What leaves so that `needed` bytes are free; all that can when that is not enough."""
        books, plan, last_resort = self._books, _Plan(), []
        contexts = self._evictable_contexts()
        going: set[int] = set()
        for number in books.policy.victims():
            if plan.expected >= needed:
                return plan
            if books.vectors.uses[number] or going.issuperset(books.vectors.referrers(number)):
                continue
            if books.vectors.pins[number]:
                if books.held_for_all(number):
                    last_resort.append(number)
            elif self._can_leave(number):
                self._add_vector(plan, number)
            elif may_lose and (entry := next(contexts, None)) is not None:
                going.add(entry.number)
                self._add_context(plan, entry)
        for number in last_resort:
            if plan.expected < needed:
                self._add_vector(plan, number)
        return plan

    def _can_leave(self, number: int) -> bool:
        """Whether a vector can leave the host tier without its context."""
        if self._books.held_for_all(number) or self._keeping is not None:
            return True
        return self._books.vectors.layout(number).kind.recomputable and not self._books.vectors.disk[number]

    def _add_vector(self, plan: _Plan, number: int) -> None:
        plan.vectors.append(number)
        plan.expected += self._books.host.freed_by(self._books.vectors.actions(number))
        plan.possible += self._size(number)

    def _add_context(self, plan: _Plan, entry: ContextEntry) -> None:
        vectors = self._books.vectors
        alone = [number for number in entry.vectors if vectors.references(number) == 1 and vectors.in_host(number)]
        plan.contexts.append(entry)
        plan.expected += self._books.host.freed_by([each for number in alone for each in vectors.actions(number)])
        plan.possible += sum(self._size(number) for number in alone)

    def _size(self, number: int) -> int:
        """Bytes of the host tier a vector takes at most; every action is rounded up to 64."""
        return self._books.vectors.layout(number).nbytes + 64 * len(self._books.vectors.actions(number))

    def _evictable_contexts(self) -> Iterator[ContextEntry]:
        """Contexts that may go, in their order, as long as nothing is added or removed."""
        vectors = self._books.vectors
        for number in self._books.order.first_to_go():
            entry = self._books.contexts.numbered(number)
            assert entry is not None
            in_host = any(vectors.in_host(each) for each in entry.vectors)
            if in_host and not entry.pinned and not any(vectors.uses[each] for each in entry.vectors):
                yield entry

    def _let_leave(self, number: int, may_lose: bool) -> None:
        """Release, demote or drop a vector, unless somebody has come to use it or it is gone meanwhile."""
        books = self._books
        with books.lock:
            if self._leave_now(number) or self._keeping is None:
                return
            entries = [books.contexts.numbered(each) for each in books.vectors.referrers(number)]
        for entry in entries:
            # Making room on disk may have removed one of them.
            if entry is None or books.contexts.named(entry.context_id) is not entry or books.holds(entry, number):
                continue
            try:
                if may_lose:
                    self._keeping.save_making_room(entry)
                else:
                    self._keeping.save([entry])
            except DiskFullError:
                if may_lose:
                    self._evict_next()
                return
        with books.lock:
            self._leave_now(number)

    def _leave_now(self, number: int) -> bool:
        """Release a vector that the disk has, or drop one that is not worth it; False when it has to be written."""
        books, vectors = self._books, self._books.vectors
        if not vectors.references(number) or vectors.uses[number] or not vectors.in_host(number):
            return True
        if books.held_for_all(number):
            books.take_from_host(number)
            books.counts.demotions += 1
            return True
        if vectors.disk[number] or not vectors.layout(number).kind.recomputable:
            return False
        if self._keeping is not None and self._keeping.worth_keeping(number):
            return False
        books.take_from_host(number)
        books.counts.drops += 1
        return True

    def _evict_next(self) -> None:
        """Remove the first context to go, where there is one."""
        with self._books.lock:
            entry = next(self._evictable_contexts(), None)
        if entry is not None:
            self._evict(entry)

    def _evict(self, entry: ContextEntry) -> None:
        self._removal.remove(entry)
        with self._books.lock:
            self._books.counts.evictions += 1
