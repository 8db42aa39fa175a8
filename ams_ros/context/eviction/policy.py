"""The border between the pool and what decides which vector goes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ams_ros.context.records import VectorKind


@dataclass(frozen=True, slots=True)
class VectorFacts:
    """What a policy may know of a vector. number: the pool's name for it. cost: seconds to compute it again."""

    number: int
    kind: VectorKind
    nbytes: int
    cost: float


class EvictionPolicy(Protocol):
    """Decides the order in which vectors leave one tier.

    The pool tells it of every admission, access and removal, each exactly once and under its own lock. A vector that
    was admitted stays known until `removed`; a policy never forgets one by itself and never names an unknown one.
    """

    def admitted(self, vector: VectorFacts) -> None:
        """A vector has come into the tier."""
        ...

    def accessed(self, number: int) -> None:
        """It was read."""
        ...

    def removed(self, number: int) -> None:
        """It has left the tier, for whatever reason."""
        ...

    def victims(self) -> Iterator[int]:
        """Numbers of all known vectors, the first to go first; the pool skips those that are pinned or in use.

        The pool does not call the other methods while it iterates.
        """
        ...
