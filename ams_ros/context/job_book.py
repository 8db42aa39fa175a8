"""How attempts went, written into a pool in the same process (spec R4)."""

from __future__ import annotations

from collections.abc import Callable

from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.records import ContextOutcome
from ams_ros.errors import AmsError


class PoolJobBook:
    """Implements replay.progress.JobBook: marks every context of an attempt's episode, also those that come later.

    trouble: why the last mark was not made, empty when it was. An episode of which the pool has nothing is no trouble.
    """

    def __init__(self, pool: ContextPool, drain: Callable[[], object]) -> None:
        """drain: waits until every context so far is in the pool, so that the next attempt can be guided by them."""
        self._pool, self._drain = pool, drain
        self.trouble = ""

    def succeeded(self, episode: str) -> None:
        """As JobBook."""
        self._mark(episode, ContextOutcome.SUCCEEDED)

    def failed(self, episode: str) -> None:
        """As JobBook."""
        self._mark(episode, ContextOutcome.FAILED)

    def _mark(self, episode: str, outcome: ContextOutcome) -> None:
        self.trouble = ""
        try:
            self._drain()
            self._pool.set_outcome(episode, outcome)
        # A robot does not stop working because the pool has.
        except AmsError as error:
            self.trouble = f"episode {episode} was not marked {outcome.value}: {error}"
