"""Looks at the context pool of a graph before and after a task."""

from __future__ import annotations

from ams_ros.cli.graph_client import GraphClient
from ams_ros.cli.pool_use import PoolUse
from ams_ros.cli.ros_session import DISCOVERY_SECONDS
from ams_ros.errors import RobotError
from ams_ros.msg import PoolStats
from ams_ros.srv import GetPoolStats

STORING_SECONDS = 1.0
"""Contexts are stored beside the task; the last ones get this long to arrive before they are counted."""


class PoolWatch:
    """What the pool under the client's namespace does from now on."""

    def __init__(self, client: GraphClient) -> None:
        """Take the first look; a pool that is not there is no error, inference goes without one, too."""
        self._session, self._service = client.session, f"{client.namespace}/context_pool/get_stats"
        there = self._session.offered(GetPoolStats, self._service, DISCOVERY_SECONDS)
        self._before = self._look() if there else None

    def use(self, inferences: int) -> PoolUse | None:
        """What it did, given that at most `inferences` contexts are still to come in; None without a pool."""
        before = self._before
        if before is None:
            return None
        try:
            now = self._settled(before.puts + before.refused + inferences)
        except RobotError:
            return None  # the task has its result all the same
        if now.puts < before.puts:
            before = PoolStats()  # it was started anew meanwhile and counts from nothing
        return PoolUse(
            hits=now.hits - before.hits,
            misses=now.misses - before.misses,
            puts=now.puts - before.puts,
            refused=now.refused - before.refused,
            evictions=now.evictions - before.evictions,
            new_bytes=max(now.stored_bytes - before.stored_bytes, 0),
            contexts=now.contexts,
        )

    def _settled(self, arrivals: int) -> PoolStats:
        """The counts once so many contexts were stored or refused, or a moment later than now."""
        looks = [self._look()]

        def arrived() -> bool:
            looks.append(self._look())
            return bool(looks[-1].puts + looks[-1].refused >= arrivals)

        self._session.until(arrived, STORING_SECONDS)
        return looks[-1]

    def _look(self) -> PoolStats:
        mend = "is the context pool active? `ams doctor` tells"
        return self._session.call(GetPoolStats, self._service, GetPoolStats.Request(), 10.0, mend).stats
