"""Storing contexts behind the back of inference."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ams_ros.context.finished_inference import FinishedInference
from ams_ros.context.guarded_store import GuardedStore
from ams_ros.context.records import NewContext
from ams_ros.errors import AmsError


class ContextWriter:
    """A thread of its own that turns finished inferences into contexts and hands them to the store, in order.

    What it could not store is told by `trouble`, never raised. Should the thread die, `submit` refuses from then on
    and `trouble` says why every time it is asked.
    """

    def __init__(self, store: GuardedStore, make: Callable[[FinishedInference], NewContext], capacity: int) -> None:
        """Start the thread; at most `capacity` inferences wait. `store` belongs to that thread from now on."""
        self._store, self._make, self._capacity = store, make, capacity
        # Guards all below. One condition for everything: it is notified a few times per slice.
        self._changed = threading.Condition()
        self._waiting: deque[FinishedInference] = deque()
        self._busy = self._closing = False
        self._trouble: list[str] = []
        self._death = ""
        # A daemon: a process that forgets to close must still be able to end.
        self._thread = threading.Thread(target=self._work, name="context writer", daemon=True)
        self._thread.start()

    def submit(self, done: FinishedInference) -> bool:
        """Queue an inference; False when the queue is full or the thread has ended, and it is not kept."""
        with self._changed:
            if self._death or self._closing:
                return False
            if len(self._waiting) >= self._capacity:
                self._trouble.append(f"a context was not kept: {self._capacity} wait to be stored already (put_queue)")
                return False
            self._waiting.append(done)
            self._changed.notify_all()
            return True

    def trouble(self) -> tuple[str, ...]:
        """What went wrong since this was last asked, and what has gone wrong for good."""
        with self._changed:
            told = dict.fromkeys([*self._trouble, *([self._death] if self._death else [])])
            self._trouble = []
        return tuple(told)

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until everything submitted so far has gone to the store; False when the time (s) or the thread ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._death or not (self._waiting or self._busy), timeout)
            return not (self._death or self._waiting or self._busy)

    def close(self) -> None:
        """End the thread once it has stored what waits; does nothing the second time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        try:
            while (done := self._next()) is not None:
                self._store_one(done)
        except BaseException as error:
            with self._changed:
                self._death = f"the thread that stores contexts has died: {type(error).__name__}: {error}"
                self._waiting.clear()
                self._changed.notify_all()
            raise

    def _next(self) -> FinishedInference | None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if not self._waiting:
                return None
            self._busy = True
            return self._waiting.popleft()

    def _store_one(self, done: FinishedInference) -> None:
        name = done.action_slice.context_id
        try:
            kept, reasons = self._store.put(self._make(done)), self._store.trouble()
        except AmsError as error:
            kept, reasons = False, (str(error),)
        if not kept:
            reason = "; ".join(reasons) or "the pool is away or its queue is full"
            with self._changed:
                self._trouble.append(f"context {name} was not kept: {reason}")
