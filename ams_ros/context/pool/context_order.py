"""In which order whole contexts go when a tier is full (C6)."""

from __future__ import annotations

from collections.abc import Iterator

from ams_ros.context.eviction.choice import find_policy
from ams_ros.context.eviction.policy import EvictionPolicy, VectorFacts
from ams_ros.context.records import ContextOutcome, VectorKind

FIRST_TO_GO = (ContextOutcome.FAILED, ContextOutcome.UNKNOWN, ContextOutcome.SUCCEEDED)
"""A success is worth most as guidance, a failure least."""


class ContextOrder:
    """Failed contexts before those of unknown outcome before those that succeeded; within each as the policy says."""

    __slots__ = ("_orders",)

    def __init__(self, policy: str) -> None:
        """policy: a name of eviction.choice."""
        self._orders: dict[ContextOutcome, EvictionPolicy] = {outcome: find_policy(policy) for outcome in FIRST_TO_GO}

    def add(self, number: int, outcome: ContextOutcome, nbytes: int, cost: float) -> None:
        """A context has come: nbytes of its vectors, cost of computing them, s."""
        # Policies treat vision features apart; a context as a whole is none.
        self._orders[outcome].admitted(VectorFacts(number, VectorKind.LATENTS, nbytes, cost))

    def used(self, number: int, outcome: ContextOutcome) -> None:
        """It was read."""
        self._orders[outcome].accessed(number)

    def remove(self, number: int, outcome: ContextOutcome) -> None:
        """It is gone, or about to be added with another outcome."""
        self._orders[outcome].removed(number)

    def first_to_go(self) -> Iterator[int]:
        """All, in the order they go; nothing may be added or removed meanwhile."""
        for order in self._orders.values():
            yield from order.victims()
