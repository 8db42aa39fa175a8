"""What inference asks of the pool: the same protocol in one process and over ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ams_ros.context.records import Array, ContextOutcome, ContextRecord, ModelKey, NewContext, VectorKind
from ams_ros.types import Float32Array

MAXIMUM_MATCHES = 100
"""Most contexts that one query for similar ones may ask for."""


@dataclass(frozen=True, slots=True, eq=False)
class FetchedVector:
    """A vector as the pool gave it: a copy of the reader's own.

    tier: where it lay, host or disk.
    """

    kind: VectorKind
    name: str
    array: Array
    tier: str


@dataclass(frozen=True, slots=True, eq=False)
class FetchedContext:
    """A whole context: its record and those vectors that were asked for and are still there."""

    record: ContextRecord
    vectors: tuple[FetchedVector, ...]

    def vector(self, kind: VectorKind, name: str = "") -> FetchedVector | None:
        """The vector of that kind and name; None when it is not there."""
        return next((each for each in self.vectors if (each.kind, each.name) == (kind, name)), None)


@dataclass(frozen=True, slots=True, eq=False)
class SimilarQuery:
    """Looks for contexts of the same model and instruction that began in a similar situation.

    embedding: (d,) float32 of length 1. outcomes: which are wanted; an empty tuple means all. count: how many at most,
    1 to MAXIMUM_MATCHES. exact: compare with every one instead of walking the vector index. first_only: only those
    with which an episode began (of an episode, index 0); all of them are compared.
    """

    model: ModelKey
    instruction: str
    embedding: Float32Array
    outcomes: tuple[ContextOutcome, ...]
    count: int
    exact: bool = False
    first_only: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A context found similar; similarity: cosine, -1..1, most similar first. episode: its episode, empty for none."""

    context_id: str
    similarity: float
    outcome: ContextOutcome
    episode: str = ""


class ContextStore(Protocol):
    """The pool as inference sees it. No method raises because the pool is away: there is then nothing to be had."""

    @property
    def state(self) -> str:
        """For the report: connected, absent, or a word on what is wrong."""
        ...

    def might_have(self, key: bytes) -> bool:
        """Whether `fetch` of that input key is worth its time; costs microseconds and may err either way."""
        ...

    def fetch(self, model: ModelKey, keys: tuple[bytes, ...]) -> dict[bytes, FetchedVector]:
        """The vectors of those input keys, as far as the pool has them for that model."""
        ...

    def similar(self, query: SimilarQuery) -> tuple[Match, ...]:
        """The most similar contexts, most similar first; empty when there is none."""
        ...

    def context(
        self, model: ModelKey, reference: str, index: int, kinds: tuple[VectorKind, ...]
    ) -> FetchedContext | None:
        """The context named by its own id, or by its episode's id and its index in it; None when there is none.

        Raises ConfigurationError when it exists and belongs to another model key.
        """
        ...

    def put(self, context: NewContext) -> bool:
        """Queue a context to be stored; returns at once. False: the queue is full or the pool away, it is not kept."""
        ...
