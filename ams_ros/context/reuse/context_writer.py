"""Storing contexts behind the back of inference."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from ams_ros.context.records import NewContext
from ams_ros.context.reuse.finished_inference import FinishedInference
from ams_ros.context.reuse.guarded_store import GuardedStore
from ams_ros.errors import AmsError


class ContextWriter:
    """A thread of its own that turns finished inferences into contexts and hands them to the store, in order.

    What it could not store is told by `trouble`, never raised. Should the thread die, nothing is accepted from then on
    and `trouble` says why every time it is asked. One thread submits.
    """

    def __init__(self, store: GuardedStore, make: Callable[[FinishedInference], NewContext], capacity: int) -> None:
        """Start the thread; at most `capacity` inferences wait. `store` belongs to that thread from now on."""
        self._store, self._make, self._capacity = store, make, capacity
        self._queue: SimpleQueue[FinishedInference | None] = SimpleQueue()
        self._submitted = 0
        # Guards what follows; the submitting thread takes it only to learn of trouble.
        self._ended = threading.Condition()
        self._finished = 0
        self._closed = False
        self._trouble: list[str] = []
        self._death = ""
        # A daemon: a process that forgets to close must still be able to end.
        self._thread = threading.Thread(target=self._work, name="context writer", daemon=True)
        self._thread.start()

    def accepts(self) -> bool:
        """Whether the next one may be submitted: the thread lives and its queue has room."""
        if self._death or self._closed:
            return False
        if self._submitted - self._finished < self._capacity:
            return True
        with self._ended:
            self._trouble.append(f"a context was not kept: {self._capacity} wait to be stored already (put_queue)")
        return False

    def submit(self, done: FinishedInference) -> None:
        """Queue an inference that was accepted."""
        self._submitted += 1
        self._queue.put(done)

    def trouble(self) -> tuple[str, ...]:
        """What went wrong since this was last asked, and what has gone wrong for good."""
        if not (self._trouble or self._death):
            return ()
        with self._ended:
            told = dict.fromkeys([*self._trouble, *([self._death] if self._death else [])])
            self._trouble = []
        return tuple(told)

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until everything submitted so far has gone to the store; False when the time (s) or the thread ended."""
        with self._ended:
            self._ended.wait_for(lambda: self._death or self._finished >= self._submitted, timeout)
            return self._finished >= self._submitted

    def close(self) -> None:
        """End the thread once it has stored what waits; nothing is accepted any more."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            while (done := self._queue.get()) is not None:
                trouble = self._store_one(done)
                # Not to be held on to while waiting for the next one: its arrays lie on the policy's device.
                del done
                with self._ended:
                    self._trouble += trouble
                    self._finished += 1
                    self._ended.notify_all()
        except BaseException as error:
            with self._ended:
                self._death = f"the thread that stores contexts has died: {type(error).__name__}: {error}"
                self._ended.notify_all()
            raise

    def _store_one(self, done: FinishedInference) -> list[str]:
        try:
            kept, reasons = self._store.put(self._make(done)), self._store.trouble()
        except AmsError as error:
            kept, reasons = False, (str(error),)
        if kept:
            return []
        reason = "; ".join(reasons) or "the pool is away or its queue is full"
        return [f"context {done.action_slice.context_id} was not kept: {reason}"]
