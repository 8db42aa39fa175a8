"""The context pool's node as a ContextStore."""

from __future__ import annotations

import queue
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rclpy.node import Node

from ams_ros.context.host.mapped_reader import MappedReader
from ams_ros.context.host.parcel import ParcelWriter
from ams_ros.context.records import ContextRecord, ModelKey, NewContext, VectorKind
from ams_ros.context.reuse.guarded_store import CONNECTED
from ams_ros.context.store import FetchedContext, FetchedVector, Match, SimilarQuery
from ams_ros.errors import ConfigurationError, PoolError
from ams_ros.msg import VectorInfo
from ams_ros.nodes.pool_board import PoolBoard
from ams_ros.nodes.pool_conversions import VectorLayout, layouts_of, outcome_of, record_of
from ams_ros.nodes.pool_link import PoolLink
from ams_ros.nodes.put_request import put_request
from ams_ros.robot.stop_request import StopRequest
from ams_ros.srv import PutContext, QueryContexts, ReleaseLease

MAXIMUM_PIECES = 65536
"""Of one vector; 4 GiB in segments of the default size."""
QUEUE_LENGTH = 8
"""Contexts that may wait for `put`."""
PUT_SECONDS = 10.0
"""Longest wait for the pool to take a context over; it may have to make room on disk first."""
DRAIN_SECONDS = 3.0
"""Longest that `work` goes on storing after it was told to stop."""


class RosContextStore:
    """Implements context.store.ContextStore by the services of a context_pool node and the memory they share.

    `work` is the loop of a background thread that stores what `put` queued and watches for an absent pool to return.
    The other methods block for at most one timeout, and not at all while the pool is known to be away; they belong
    into a thread other than the executor's, which delivers the answers. A pool that is there and refuses, or says of
    its memory what cannot be, is an AmsError.
    """

    def __init__(self, node: Node, pool: str, timeout: float, on_change: Callable[[str], None]) -> None:
        """pool: name of its node. timeout: s, of a lookup. on_change: told every new `state`, from any thread."""
        self._log = node.get_logger()
        self._link = PoolLink(node, pool, timeout, on_change)
        self._put = node.create_client(PutContext, f"{pool}/put")
        self._release = node.create_client(ReleaseLease, f"{pool}/release")
        self._waiting: queue.Queue[NewContext] = queue.Queue(QUEUE_LENGTH)
        self._reader, self._writer = MappedReader(), ParcelWriter("inference")
        self._board = PoolBoard()

    @property
    def state(self) -> str:
        """connected, absent, or the lifecycle state the pool is in instead of active."""
        return self._link.state

    def might_have(self, key: bytes) -> bool:
        """Whether the pool's board of keys in shared memory shows that key."""
        return self._link.state == CONNECTED and self._board.might_have(self._link.values, key)

    def fetch(self, model: ModelKey, keys: tuple[bytes, ...]) -> dict[bytes, FetchedVector]:
        """The vectors of those input keys, as far as the pool has them for that model."""
        answer = self._query(QueryContexts.Request(model=model.to_json(), keys=array("B", b"".join(keys))))
        if answer is None:
            return {}
        wanted = set(keys)
        found = self._copy(answer, answer.vectors)
        return {layout.key: vector for layout, vector in found if layout.key in wanted}

    def similar(self, query: SimilarQuery) -> tuple[Match, ...]:
        """The most similar contexts, most similar first; empty when there is none."""
        request = QueryContexts.Request(
            model=query.model.to_json(),
            instruction=query.instruction,
            embedding=array("f", query.embedding.astype(np.float32).tobytes()),
            outcomes=[outcome.value for outcome in query.outcomes],
            count=query.count,
            exact_search=query.exact,
            first_only=query.first_only,
        )
        answer = self._query(request)
        if answer is None:
            return ()
        pairs = zip(answer.contexts, answer.similarities, strict=False)
        return tuple(
            Match(each.context_id, float(cosine), outcome_of(each.outcome), each.episode) for each, cosine in pairs
        )

    def context(
        self, model: ModelKey, reference: str, index: int, kinds: tuple[VectorKind, ...]
    ) -> FetchedContext | None:
        """The context named by its own id, or by its episode's id and its index in it; None when there is none.

        Raises ConfigurationError when it exists and belongs to another model key.
        """
        # Asked for without the model, so that "another model" and "none" can be told apart.
        names = [kind.value for kind in kinds]
        answer = self._query(QueryContexts.Request(reference=reference, index=index, kinds=names))
        if answer is None or not answer.contexts:
            return None
        record = record_of(answer.contexts[0])
        _check_model(record, model, lambda: self._give_back(answer))
        vectors = self._copy(answer, answer.contexts[0].vectors)
        return FetchedContext(record, tuple(vector for _, vector in vectors))

    def put(self, context: NewContext) -> bool:
        """Queue a context to be stored; returns at once. False: the queue is full or the pool away, it is not kept."""
        if self._link.state != CONNECTED:
            return False
        try:
            self._waiting.put_nowait(context)
        except queue.Full:
            return False
        return True

    def work(self, stop: StopRequest) -> None:
        """The loop of the background thread; when told to stop it stores what still waits, for a few seconds."""
        while not stop.requested:
            self._link.look_again()
            self._store_next(0.2)
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._store_next(0.0) and time.monotonic() < deadline:
            pass

    def close(self) -> None:
        """Let go of all shared memory; nothing may be called afterwards."""
        self._writer.close()
        self._reader.close()
        self._board.close()

    # Asking.

    def _query(self, request: Any) -> Any | None:
        """The answer, None when the pool is away; raises PoolError with the pool's words when it refuses."""
        answer = self._link.call(self._link.query, request)
        if answer is not None and not answer.success:
            raise PoolError(f"the context pool refused a query: {answer.message}")
        return answer

    def _copy(self, answer: Any, vectors: Sequence[VectorInfo]) -> list[tuple[VectorLayout, FetchedVector]]:
        """Copies of all vectors that could be read before the lease ended, which is given back.

        Raises an AmsError when what the pool says of its memory cannot be.
        """
        copied = []
        try:
            for layout in layouts_of([each for each in vectors if each.offsets], MAXIMUM_PIECES):
                content = self._reader.read(
                    answer.memory, answer.memory_bytes, layout.pieces, layout.nbytes, answer.deadline
                )
                if content is not None:
                    content = content.view(layout.dtype).reshape(layout.shape)
                    copied.append((layout, FetchedVector(layout.kind, layout.name, content, layout.tier)))
        finally:
            self._give_back(answer)
        return copied

    def _give_back(self, answer: Any) -> None:
        if answer.lease:
            self._link.send(self._release, ReleaseLease.Request(lease=answer.lease))

    # Storing.

    def _store_next(self, seconds: float) -> bool:
        try:
            context = self._waiting.get(timeout=seconds) if seconds else self._waiting.get_nowait()
        except queue.Empty:
            return False
        try:
            answer = self._link.call_patiently(self._put, put_request(self._writer, context), PUT_SECONDS)
        except PoolError as error:
            self._log.warning(f"a context could not be handed over: {error}", throttle_duration_sec=5.0)
            return True
        if answer is None:  # the pool may be reading it still
            return True
        self._writer.free()
        if not answer.success:
            self._log.warning(f"the context pool did not take a context: {answer.message}", throttle_duration_sec=5.0)
        return True


def _check_model(record: ContextRecord, model: ModelKey, release: Callable[[], None]) -> None:
    if record.model != model:
        release()
        raise ConfigurationError(
            f"model of context {record.context_id}", record.model.to_json(), f"the model that asks: {model.to_json()}"
        )
