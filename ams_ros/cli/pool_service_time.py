"""What a question to the pool's node costs, against the same question to a node that does nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rclpy.serialization import serialize_message

from ams_ros.benchmark.interleaved import Subject, interleave, percentile, ratio
from ams_ros.benchmark.pool.samples import MODEL, embeddings, input_keys, prefix_array, record
from ams_ros.cli.graph_processes import GraphProcesses
from ams_ros.cli.lifecycle import change_state
from ams_ros.cli.ros_session import RosSession
from ams_ros.context.hashing.two_phase import SEGMENT_BYTES
from ams_ros.context.host.mapped_reader import MappedReader
from ams_ros.context.host.parcel import ParcelWriter
from ams_ros.context.records import NewContext, NewVector, VectorKind
from ams_ros.errors import PoolError, RobotError
from ams_ros.nodes.pool_conversions import layouts_of
from ams_ros.nodes.put_request import put_request
from ams_ros.srv import EvictContexts, PutContext, QueryContexts, ReleaseLease

MEND = "see whether other processes keep this machine busy"
HOST_BYTES = 256 * 2**20
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """Query of one key that is there, answered by the pool (roundtrip) and by a node without a pool (bare).

    ratio_p99: of the two. put, get: a 15 MB prefix handed over and fetched through services and shared memory, median,
    and how many times longer than a warm copy of it that takes.
    """

    roundtrip_ms_p50: float
    roundtrip_ms_p99: float
    bare_ms_p50: float
    bare_ms_p99: float
    ratio_p99: float
    put_ms: float
    get_ms: float
    put_ratio_to_memcpy: float
    get_ratio_to_memcpy: float

    def figures(self) -> dict[str, float]:
        """By their names in the JSON form of `ams bench pool`."""
        return {
            "service_roundtrip_ms_p50": self.roundtrip_ms_p50,
            "service_roundtrip_ms_p99": self.roundtrip_ms_p99,
            "bare_service_ms_p50": self.bare_ms_p50,
            "bare_service_ms_p99": self.bare_ms_p99,
            "service_ratio_p99": self.ratio_p99,
            "service_put_ms": self.put_ms,
            "service_get_ms": self.get_ms,
            "service_put_ratio_to_memcpy": self.put_ratio_to_memcpy,
            "service_get_ratio_to_memcpy": self.get_ratio_to_memcpy,
        }


def measure_service(check: Callable[[], None], calls: int, rounds: int) -> ServiceTimes:
    """Start both nodes, ask them in turn `calls` times, hand over and fetch a prefix `rounds` times, stop them.

    check: called while waiting; what it raises ends the measurement. Raises RobotError when a node cannot be had.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        session = stack.enter_context(RosSession(check))
        transfer = _Transfer(session, stack.enter_context(_pool_node(session, folder)))
        stack.callback(transfer.close)
        return _measure(session, transfer, folder, calls, rounds)


def _measure(session: RosSession, transfer: _Transfer, folder: Path, calls: int, rounds: int) -> ServiceTimes:
    transfer.put()
    answer = transfer.query()
    transfer.release()
    file = folder / "answer"
    file.write_bytes(serialize_message(answer))
    with _bare_node(session, f"{transfer.pool}/bare_query", file) as bare:
        asked: dict[str, Subject] = {
            "pool": lambda _: transfer.query(),
            "bare": lambda _: session.call(QueryContexts, bare, transfer.request, 10.0, MEND),
        }
        seconds = interleave(asked, calls, warm_up=20, after=lambda _: transfer.release())
    transfer.renew()
    moves: dict[str, Subject] = {
        "memcpy": lambda _: transfer.copy(),
        "put": lambda _: transfer.put(),
        "get": lambda _: transfer.get(),
    }
    moved = interleave(moves, rounds, after=lambda _: transfer.renew())
    pool_p99, bare_p99 = (percentile(seconds[name], 99, 1e-3) for name in ("pool", "bare"))
    return ServiceTimes(
        roundtrip_ms_p50=percentile(seconds["pool"], 50, 1e-3),
        roundtrip_ms_p99=pool_p99,
        bare_ms_p50=percentile(seconds["bare"], 50, 1e-3),
        bare_ms_p99=bare_p99,
        ratio_p99=pool_p99 / bare_p99,
        put_ms=percentile(moved["put"], 50, 1e-3),
        get_ms=percentile(moved["get"], 50, 1e-3),
        put_ratio_to_memcpy=ratio(moved["put"], moved["memcpy"]),
        get_ratio_to_memcpy=ratio(moved["get"], moved["memcpy"]),
    )


class _Transfer:
    """One prefix that goes to the pool and comes back, new content every round."""

    def __init__(self, session: RosSession, pool: str) -> None:
        self.pool, self._session = pool, session
        self._content = prefix_array(3)
        self._copied = np.zeros_like(self._content)
        self._key = input_keys(0)[0]
        self._situation = embeddings(1, 128, 3)[0]
        self._writer, self._reader = ParcelWriter("bench"), MappedReader()
        self.request = QueryContexts.Request(model=MODEL.to_json(), keys=array("B", self._key))
        self._leases: list[int] = []
        self._number = 0

    def close(self) -> None:
        self._writer.close()
        self._reader.close()

    def copy(self) -> None:
        np.copyto(self._copied, self._content)

    def put(self) -> None:
        vector = NewVector(VectorKind.PREFIX, "", self._content, self._key, 0.01)
        context = NewContext(record(self._number, self._situation), (vector,))
        self._call(PutContext, "put", put_request(self._writer, context))
        self._writer.free()

    def query(self) -> Any:
        answer = self._call(QueryContexts, "query", self.request)
        if not answer.vectors or not answer.lease:
            raise PoolError(f"{self.pool} does not find what was just put")
        self._leases.append(answer.lease)
        return answer

    def get(self) -> None:
        answer = self.query()
        (layout,) = layouts_of(answer.vectors, 65536)
        content = self._reader.read(answer.memory, answer.memory_bytes, layout.pieces, layout.nbytes, answer.deadline)
        if content is None or content[0] != self._content.view(np.uint8).flat[0]:
            raise PoolError(f"{self.pool} gave back something else than was put")

    def release(self) -> None:
        for lease in self._leases:
            self._call(ReleaseLease, "release", ReleaseLease.Request(lease=lease))
        self._leases.clear()

    def renew(self) -> None:
        """Let the pool forget the prefix and change the content of every segment."""
        self.release()
        self._call(EvictContexts, "evict", EvictContexts.Request(reference=f"bench-{self._number}"))
        self._number += 1
        flat = self._content.reshape(-1)
        flat[:: SEGMENT_BYTES // flat.itemsize] = self._number

    def _call(self, kind: Any, verb: str, request: Any) -> Any:
        answer = self._session.call(kind, f"{self.pool}/{verb}", request, 30.0, MEND)
        if not answer.success:
            raise PoolError(f"{self.pool}/{verb}: {getattr(answer, 'message', 'refused')}")
        return answer


@contextmanager
def _pool_node(session: RosSession, folder: Path) -> Iterator[str]:
    """A pool of its own without a disk, active; its full name."""
    namespace = f"/ams_bench_{os.getpid()}"
    parameters = folder / "pool.yaml"
    parameters.write_text(yaml.safe_dump({"/**": {"ros__parameters": {"store": "", "host_bytes": HOST_BYTES}}}))
    processes = GraphProcesses(folder / "log")
    processes.start(
        "context_pool", "context_pool", ("--ros-args", "-r", f"__ns:={namespace}", "--params-file", str(parameters))
    )
    name = f"{namespace}/context_pool"
    try:
        if not session.until(lambda: _has_node(session, namespace) or _died(processes), START_SECONDS):
            raise RobotError(f"{name} did not start within {START_SECONDS:g} s: {MEND}")
        for transition in ("configure", "activate"):
            if not change_state(session, name, transition, START_SECONDS):
                raise RobotError(f"{name} refuses to {transition}: {processes.log('context_pool').read_text()[-500:]}")
        yield name
    finally:
        processes.stop()


def _has_node(session: RosSession, namespace: str) -> bool:
    return ("context_pool", namespace) in session.node.get_node_names_and_namespaces()


def _died(processes: GraphProcesses) -> bool:
    dead = processes.first_dead()
    if dead is not None:
        raise dead.error()
    return False


@contextmanager
def _bare_node(session: RosSession, service: str, answer: Path) -> Iterator[str]:
    """The control, answering; the service's name."""
    process = subprocess.Popen([sys.executable, "-m", "ams_ros.cli.bare_service", service, str(answer)])
    try:
        if not session.offered(QueryContexts, service, START_SECONDS):
            raise RobotError(f"{service} did not start within {START_SECONDS:g} s: {MEND}")
        yield service
    finally:
        process.terminate()
        process.wait()
