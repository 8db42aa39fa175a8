"""A pool, and inference that uses it, in this process."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from ams_ros.context.job_book import PoolJobBook
from ams_ros.context.local_store import LocalContextStore
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.reuse.reuse_options import ReuseOptions
from ams_ros.context.reuse.reusing_inference import ReusingInference
from ams_ros.policy.protocol import Policy

ROBOT = "widowx_250s"


class LocalReuse:
    """Open while used in a `with`; without a folder nothing is kept after that."""

    def __init__(
        self,
        policy: Policy,
        threshold: float = 0.0,
        folder: Path | None = None,
        host_bytes: int = 0,
        robot: str = ROBOT,
    ) -> None:
        """Open the pool of that folder, or one in memory alone.

        threshold: largest patch difference that passes as the same picture; 0 is exact reuse. host_bytes: memory of
        the pool; 0 lets it choose. robot: name of its profile.
        """
        self.pool = ContextPool(PoolOptions(path=folder, host_bytes=host_bytes))
        self._store = LocalContextStore(self.pool)
        self.jobs = PoolJobBook(self.pool, self.drain)
        self.inference = ReusingInference(policy, self._store, ReuseOptions(robot, approximate_threshold=threshold))

    def drain(self) -> None:
        """Wait until every inference so far is in the pool."""
        self.inference.drain()
        self._store.drain()

    def __enter__(self) -> LocalReuse:
        """It is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Store what is still queued and close."""
        self.inference.close()
        self._store.close()
        self.pool.close()
