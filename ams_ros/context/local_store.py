"""The pool as inference sees it when both are in one process."""

from __future__ import annotations

import threading
from collections import deque

from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.records import ModelKey, NewContext, VectorKind
from ams_ros.context.store import FetchedContext, FetchedVector, Match, SimilarQuery
from ams_ros.errors import ConfigurationError, PoolError


class LocalContextStore:
    """Implements ContextStore: look-ups in the caller's thread, storing behind its back in a thread of its own.

    stored, refused, dropped: contexts that were put, that the pool refused, and that found the queue full. refusal:
    why the last one was refused.
    The pool stays its owner's to close, after this store.
    """

    def __init__(self, pool: ContextPool, queue: int = 16) -> None:
        """queue: contexts that may wait to be stored, 1 or more."""
        if queue < 1:
            raise ConfigurationError("queue", queue, "1 or more")
        self.stored = self.refused = self.dropped = 0
        self._pool, self._limit = pool, queue
        self._changed = threading.Condition()
        self._waiting: deque[NewContext] = deque()
        self._busy = self._ended = False
        self.refusal = self._trouble = ""
        self._death: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ams_context_put", daemon=True)
        self._thread.start()

    @property
    def state(self) -> str:
        """connected; absent after close; or what is wrong with the pool or the storing thread."""
        if self._death is not None:
            return f"storing has ended: {self._death!r}"
        if self._ended:
            return "absent"
        return self._trouble or "connected"

    def might_have(self, key: bytes) -> bool:
        """As ContextStore."""
        return not self._ended and self._pool.might_have(key)

    def fetch(self, model: ModelKey, keys: tuple[bytes, ...]) -> dict[bytes, FetchedVector]:
        """As ContextStore."""
        try:
            return self._pool.fetch(model, keys)
        except PoolError as error:
            self._trouble = str(error)
            return {}

    def similar(self, query: SimilarQuery) -> tuple[Match, ...]:
        """As ContextStore."""
        try:
            return self._pool.similar(query)
        except PoolError as error:
            self._trouble = str(error)
            return ()

    def context(
        self, model: ModelKey, reference: str, index: int, kinds: tuple[VectorKind, ...]
    ) -> FetchedContext | None:
        """As ContextStore."""
        try:
            return self._pool.context(model, reference, index, kinds)
        except PoolError as error:
            self._trouble = str(error)
            return None

    def put(self, context: NewContext) -> bool:
        """As ContextStore."""
        with self._changed:
            if self._ended or self._death is not None or len(self._waiting) >= self._limit:
                self.dropped += 1
                return False
            self._waiting.append(context)
            self._changed.notify_all()
            return True

    def drain(self) -> None:
        """Wait until everything that was queued is stored or refused; raises PoolError when the thread has died."""
        with self._changed:
            self._changed.wait_for(lambda: self._death is not None or not (self._waiting or self._busy))
            if self._death is not None:
                raise PoolError(f"the thread that stores contexts has died: {self._death!r}") from self._death

    def close(self) -> None:
        """Store what is queued and end the thread; raises PoolError when it has died, also before."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()
        self.drain()

    def _run(self) -> None:
        try:
            while (context := self._next()) is not None:
                self._store(context)
        except BaseException as error:
            with self._changed:
                self._death = error
                self._changed.notify_all()

    def _next(self) -> NewContext | None:
        """The next context in the queue; None when the store is closed and the queue empty."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if not self._waiting:
                return None
            self._busy = True
            return self._waiting.popleft()

    def _store(self, context: NewContext) -> None:
        """Put one; that the pool refuses it is this context's fate and no trouble of the pool."""
        try:
            self._pool.put(context)
        except (PoolError, ConfigurationError) as error:
            self.refused += 1
            self.refusal = str(error)
        else:
            self.stored += 1
