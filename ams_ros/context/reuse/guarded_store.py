"""A store that inference cannot fail by."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ams_ros.context.records import ModelKey, NewContext, VectorKind
from ams_ros.context.store import ContextStore, FetchedContext, FetchedVector, Match, SimilarQuery
from ams_ros.errors import ConfigurationError

T = TypeVar("T")

CONNECTED = "connected"
ABSENT = "absent"


class GuardedStore:
    """A ContextStore around another one: whatever that one raises is nothing found, and told by `trouble`.

    One instance serves one thread.
    """

    def __init__(self, store: ContextStore) -> None:
        self._store = store
        self._trouble: list[str] = []

    def trouble(self) -> tuple[str, ...]:
        """What went wrong since this was last asked, each thing once."""
        told, self._trouble = tuple(dict.fromkeys(self._trouble)), []
        return told

    @property
    def troubled(self) -> bool:
        """Whether something went wrong since `trouble` was last asked."""
        return bool(self._trouble)

    @property
    def state(self) -> str:
        """The other one's state, absent when it cannot even tell that."""
        return self._ask("state", lambda: self._store.state, ABSENT)

    def might_have(self, key: bytes) -> bool:
        """See ContextStore."""
        return self._ask("might_have", lambda: self._store.might_have(key), False)

    def fetch(self, model: ModelKey, keys: tuple[bytes, ...]) -> dict[bytes, FetchedVector]:
        """See ContextStore."""
        return self._ask("fetch", lambda: self._store.fetch(model, keys), {})

    def similar(self, query: SimilarQuery) -> tuple[Match, ...]:
        """See ContextStore."""
        return self._ask("similar", lambda: self._store.similar(query), ())

    def context(
        self, model: ModelKey, reference: str, index: int, kinds: tuple[VectorKind, ...]
    ) -> FetchedContext | None:
        """See ContextStore; its ConfigurationError is the caller's mistake and passes."""
        try:
            return self._store.context(model, reference, index, kinds)
        except ConfigurationError:
            raise
        except Exception as error:
            return self._nothing("context", error, None)

    def put(self, context: NewContext) -> bool:
        """See ContextStore."""
        return self._ask("put", lambda: self._store.put(context), False)

    def _ask(self, what: str, ask: Callable[[], T], nothing: T) -> T:
        try:
            return ask()
        # Whatever breaks in the pool or on the way to it, the robot needs its slice; the report says what broke.
        except Exception as error:
            return self._nothing(what, error, nothing)

    def _nothing(self, what: str, error: Exception, nothing: T) -> T:
        self._trouble.append(f"the pool failed in {what}: {type(error).__name__}: {error}")
        return nothing
