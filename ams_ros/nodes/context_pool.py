"""The context pool: the node that keeps what inferences computed and hands it out by shared memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from std_msgs.msg import Header

from ams_ros.context.eviction.choice import POLICIES
from ams_ros.context.hashing.choice import HASH_NAMES
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import DEFAULT_SEGMENT_BYTES, PoolOptions
from ams_ros.errors import AmsError, ConfigurationError, PoolError
from ams_ros.msg import PoolStats
from ams_ros.nodes.deferred_service import Reply, defer_replies, not_called
from ams_ros.nodes.lifecycle import LATCHED, AmsNode
from ams_ros.nodes.parameters import Setting
from ams_ros.nodes.parcel_intake import ParcelIntake
from ams_ros.nodes.pool_answers import PoolAnswers
from ams_ros.nodes.pool_conversions import stats_message
from ams_ros.nodes.process import run_node
from ams_ros.nodes.work_lane import Job, WorkLane
from ams_ros.srv import (
    EvictContexts,
    ExportContexts,
    GetPoolStats,
    ImportContexts,
    ListContexts,
    PinContext,
    PutContext,
    QueryContexts,
    ReleaseLease,
    SetOutcome,
    VerifyPool,
)

MIB = 2**20
PROMOTION_SECONDS = 0.1
"""Longest that a query waits for a busy disk; inference waits no more than its pool_timeout, 0.2 s, for the answer."""

Answer = Callable[[Any, Any], Any]
"""Fills a response for a request and returns it; raises an AmsError for a request that cannot be served."""


def default_store() -> Path:
    """Where contexts are kept unless told otherwise: in the user's data folder."""
    base = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(base) / "ams_ros" / "contexts"


class ContextPoolNode(AmsNode):
    """Serves one ContextPool.

    What needs no disk is answered on the executor's thread at once. Queries that must read the disk and long lists,
    and everything that writes, run in a thread each, so that a lookup never waits for a file.
    """

    SETTINGS = (
        Setting("store", "default", "folder on disk; default: ams_ros/contexts in the user's data folder; empty: none"),
        Setting("host_bytes", 0, "shared memory; 0: a quarter of what is free there, 4 to 512 MiB", 0, 2**44),
        Setting("disk_bytes", 8192 * MIB, "disk tier, bytes", MIB, 2**50),
        Setting("segment_bytes", DEFAULT_SEGMENT_BYTES, "size of the pieces that are kept once", 1024, 2**24),
        Setting("eviction", "priority", f"what goes first when room is needed: {', '.join(POLICIES)}"),
        Setting("hash", "xxh3", f"of segments in shared memory: {', '.join(HASH_NAMES)}"),
        Setting("lease_seconds", 5.0, "a reader that does not copy within this time has read in vain", 0.05, 600.0),
        Setting("stats_rate", 1.0, "~/stats, Hz", 0.1, 50.0),
        Setting("maximum_context_bytes", 256 * MIB, "a larger context is refused", 1024, 2**40),
        Setting("maximum_waiting", 32, "requests that may wait for the disk; more are refused", 1, 1000),
    )

    def __init__(self) -> None:
        """Wait to be configured."""
        super().__init__("context_pool")
        self._pool: ContextPool | None = None
        self._serving = False
        self._told = (0, 0)

    def _setup(self) -> None:
        pool = self._pool = ContextPool(self._options())
        busy = f"the context pool is busy: {self.setting('maximum_waiting')} requests wait already (maximum_waiting)"
        self._writing = WorkLane(self.setting("maximum_waiting"), busy)
        self._reading = WorkLane(self.setting("maximum_waiting"), busy)
        self._told = (0, 0)
        memory, memory_bytes = pool.memory
        board, board_bytes = pool.key_board
        self.status_values = {
            "memory": memory,
            "memory_bytes": str(memory_bytes),
            "key_board": board,
            "key_board_bytes": str(board_bytes),
        }
        self._stats = self.create_publisher(PoolStats, "~/stats", LATCHED)
        # Wall time, because leases and whoever watches live in it, however fast a simulation runs.
        self._beat = self.create_timer(
            1.0 / self.setting("stats_rate"), self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME), autostart=False
        )
        self._offer_services(pool)
        for finding in pool.findings:
            self.get_logger().warning(f"found on opening the store: {finding}")
        self.get_logger().info(f"store: {pool.options.path or 'none'}; shared memory: {memory_bytes / MIB:.0f} MiB")

    def _options(self) -> PoolOptions:
        store = self.setting("store")
        for key, known in (("eviction", tuple(POLICIES)), ("hash", HASH_NAMES)):
            if self.setting(key) not in known:
                raise ConfigurationError(key, self.setting(key), ", ".join(known))
        return PoolOptions(
            path=None if not store else default_store() if store == "default" else Path(store).expanduser(),
            host_bytes=self.setting("host_bytes"),
            disk_bytes=self.setting("disk_bytes"),
            segment_bytes=self.setting("segment_bytes"),
            policy=self.setting("eviction"),
            hash=self.setting("hash"),
            lease_seconds=self.setting("lease_seconds"),
            promotion_seconds=PROMOTION_SECONDS,
        )

    def _offer_services(self, pool: ContextPool) -> None:
        answers = PoolAnswers(pool, ParcelIntake(self.setting("maximum_context_bytes")))
        # Figures are told in every state: they have no way to say no.
        stats = self.create_service(GetPoolStats, "~/get_stats", not_called)
        defer_replies(stats, lambda *call: _run(self._get_stats, *call))

        def accept_query(request: Any, response: Any, reply: Reply) -> None:
            try:
                lane = self._reading if self._serving and answers.reads_disk(request) else None
            except AmsError as error:
                reply(refused(response, str(error)))
                return
            self._accept(answers.query, request, response, reply, lane)

        defer_replies(self.create_service(QueryContexts, "~/query", not_called), accept_query)
        self._serve(ReleaseLease, "~/release", answers.release, None)
        self._serve(ListContexts, "~/list", answers.list, self._reading)
        for kind, name, answer in (
            (PutContext, "~/put", answers.put),
            (SetOutcome, "~/set_outcome", answers.set_outcome),
            (PinContext, "~/pin", answers.pin),
            (EvictContexts, "~/evict", answers.evict),
            (ExportContexts, "~/export_contexts", answers.export_contexts),
            (ImportContexts, "~/import_contexts", answers.import_contexts),
            (VerifyPool, "~/verify", answers.verify),
        ):
            self._serve(kind, name, answer, self._writing)

    def _activate(self) -> None:
        self.start_thread("writing", self._writing.work)
        self.start_thread("reading", self._reading.work)
        self._writing.open()
        self._reading.open()
        self._serving = True
        self._beat.reset()

    def _deactivate(self, reason: str) -> None:
        self._serving = False
        self._beat.cancel()
        for lane in (self._writing, self._reading):
            lane.close(f"the context pool stopped: {reason}")

    def _teardown(self) -> None:
        self.status_values = {}
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    # Answering.

    def _serve(self, kind: Any, name: str, answer: Answer, lane: WorkLane | None) -> None:
        def accept(request: Any, response: Any, reply: Reply) -> None:
            self._accept(answer, request, response, reply, lane)

        defer_replies(self.create_service(kind, name, not_called), accept)

    def _accept(self, answer: Answer, request: Any, response: Any, reply: Reply, lane: WorkLane | None) -> None:
        """Answer on this thread, or in that of `lane`."""
        closed = f"the context pool is {self.state_label}: activate it"
        if not self._serving:
            reply(refused(response, closed))
            return
        if lane is None:
            _run(answer, request, response, reply)
            return
        job = Job(
            run=lambda _: _run(answer, request, response, reply),
            refuse=lambda message: reply(refused(response, message)),
        )
        lane.take(job, closed)

    def _get_stats(self, request: Any, response: Any) -> Any:
        response.stats = self._figures(self._pool)
        return response

    # Telling.

    def _tick(self) -> None:
        pool = self._pool
        if pool is None or not self._serving:  # the timer was due already when it was canceled
            return
        pool.expire()
        figures = self._figures(pool)
        self._stats.publish(figures)
        told = (figures.damaged, figures.refused)
        if told != self._told:
            self._told = told
            self.set_concern(_concern(*told))

    def _figures(self, pool: ContextPool | None) -> PoolStats:
        if pool is None:
            raise PoolError("the context pool is being cleaned up")
        return stats_message(pool.stats(), Header(stamp=self.get_clock().now().to_msg()))


def _run(answer: Answer, request: Any, response: Any, reply: Reply) -> None:
    try:
        answered = answer(request, response)
    except AmsError as error:
        answered = refused(response, str(error))
    reply(answered)


def _concern(damaged: int, roomless: int) -> str:
    parts = [
        f"{damaged} damaged entries were removed from the store" if damaged else "",
        f"{roomless} contexts found no room (host_bytes, disk_bytes)" if roomless else "",
    ]
    return "since it was configured, " + " and ".join(filter(None, parts))


def refused(response: Any, message: str) -> Any:
    """The response saying no, for those services that can say why."""
    fields = response.get_fields_and_field_types()
    fresh = type(response)()
    if "success" in fields:
        fresh.success = False
    if "message" in fields:
        fresh.message = message
    return fresh


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to end."""
    return run_node(ContextPoolNode)


if __name__ == "__main__":
    sys.exit(main())
