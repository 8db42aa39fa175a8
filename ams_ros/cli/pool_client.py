"""A running context pool, asked through its services."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ams_ros.cli.pool_access import ContextRow, Exported, Imported, Listing, Removed, VectorRow, Verified
from ams_ros.cli.ros_session import RosSession
from ams_ros.errors import PoolError, RobotError
from ams_ros.msg import ContextInfo, PoolStats
from ams_ros.srv import (
    EvictContexts,
    ExportContexts,
    GetPoolStats,
    ImportContexts,
    ListContexts,
    PinContext,
    SetOutcome,
    VerifyPool,
)

QUICK, LONG = 30.0, 600.0
"""Seconds a service may take that looks things up, and one that reads or writes files of gigabytes."""


class PoolClient:
    """Implements pool_access.PoolAccess over a session; `node` is the pool's full name."""

    def __init__(self, session: RosSession, node: str) -> None:
        """Raises RobotError, naming both ways of reaching a pool, when there is no such node."""
        self._session, self._node = session, node
        if not session.offered(GetPoolStats, f"{node}/get_stats", 4.0):
            domain = os.environ.get("ROS_DOMAIN_ID") or "0"
            raise RobotError(
                f"no context pool answers as {node} in ROS domain {domain}: start a graph with `ams up`, "
                "name another node with --node, or read a store on disk with --store FOLDER"
            )

    def listing(self, reference: str, outcome: str, offset: int, limit: int, vectors: bool) -> Listing:
        """Contexts of that reference and outcome, newest first."""
        request = ListContexts.Request(
            reference=reference, outcome=outcome, offset=offset, limit=limit, vectors=vectors
        )
        response = self._call(ListContexts, "list", request, QUICK)
        return Listing(response.total, tuple(map(_context_row, response.contexts)))

    def stats(self) -> dict[str, int | str]:
        """Every figure of the message PoolStats."""
        stats = self._call(GetPoolStats, "get_stats", GetPoolStats.Request(), QUICK).stats
        return {name: getattr(stats, name) for name in PoolStats.get_fields_and_field_types() if name != "header"}

    def verify(self) -> Verified:
        """Let the pool read its disk."""
        response = self._call(VerifyPool, "verify", VerifyPool.Request(), LONG)
        return Verified(response.contexts, response.vectors, response.damaged, tuple(response.details))

    def evict(self, reference: str, outcome: str, nbytes: int) -> Removed:
        """Let the pool remove contexts."""
        request = EvictContexts.Request(reference=reference, outcome=outcome, bytes=nbytes)
        response = self._call(EvictContexts, "evict", request, LONG)
        return Removed(response.contexts, response.freed_bytes)

    def export(self, file: Path, reference: str) -> Exported:
        """Let the pool write a portable file on its machine."""
        request = ExportContexts.Request(file=str(file), reference=reference)
        response = self._call(ExportContexts, "export_contexts", request, LONG)
        return Exported(str(file), response.contexts, response.bytes)

    def import_file(self, file: Path) -> Imported:
        """Let the pool read a portable file on its machine."""
        response = self._call(ImportContexts, "import_contexts", ImportContexts.Request(file=str(file)), LONG)
        return Imported(response.contexts, response.known, response.skipped, response.message)

    def mark(self, reference: str, outcome: str) -> int:
        """Set how it went."""
        request = SetOutcome.Request(reference=reference, outcome=outcome)
        return int(self._call(SetOutcome, "set_outcome", request, LONG).contexts)

    def pin(self, reference: str, pinned: bool) -> int:
        """Pin or unpin."""
        return int(
            self._call(PinContext, "pin", PinContext.Request(reference=reference, pinned=pinned), QUICK).contexts
        )

    def _call(self, service_type: Any, verb: str, request: Any, timeout: float) -> Any:
        mend = "is the pool active? `ams doctor` tells; or use --store FOLDER"
        response = self._session.call(service_type, f"{self._node}/{verb}", request, timeout, mend)
        # GetPoolStats cannot fail and has no such field.
        if not getattr(response, "success", True):
            raise PoolError(f"{self._node}: {response.message}")
        return response


def _context_row(info: ContextInfo) -> ContextRow:
    return ContextRow(
        context_id=info.context_id,
        episode=info.episode,
        index=info.index,
        outcome=info.outcome,
        pinned=info.pinned,
        created=info.created,
        instruction=info.instruction,
        seed=info.seed,
        start_time=info.start_time,
        guided_by=info.guided_by,
        joints=tuple(info.joints),
        gripper=info.gripper,
        model=json.loads(info.model),
        vectors=tuple(
            VectorRow(v.kind, v.name, v.dtype, tuple(v.shape), v.nbytes, v.cost, v.accesses, v.tier)
            for v in info.vectors
        ),
    )
