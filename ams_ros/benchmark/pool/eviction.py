"""What each eviction policy keeps of a trace of accesses when only a part of it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ams_ros.context.eviction.choice import POLICIES, find_policy
from ams_ros.context.eviction.policy import EvictionPolicy, VectorFacts


@dataclass(frozen=True, slots=True)
class KeptShare:
    """What one policy kept with room for `room` of all bytes: share of accesses, and of seconds of recomputation."""

    policy: str
    room: float
    hit_rate: float
    seconds_saved_share: float


def compose_trace(episodes: Sequence[Sequence[VectorFacts]], repeats: int, seed: int) -> list[VectorFacts]:
    """Accesses of `repeats` episodes drawn from the recorded ones; few come back often, by Zipf's law."""
    weights = 1.0 / np.arange(1, len(episodes) + 1)
    drawn = np.random.default_rng(seed).choice(len(episodes), repeats, p=weights / weights.sum())
    return [access for number in drawn for access in episodes[number]]


def compare_policies(trace: Sequence[VectorFacts], rooms: Sequence[float]) -> tuple[KeptShare, ...]:
    """Run every policy over the trace, once for each share of all its bytes there is room for."""
    whole = sum({access.number: access.nbytes for access in trace}.values())
    return tuple(_run(find_policy(name), name, trace, room, int(room * whole)) for room in rooms for name in POLICIES)


def _run(policy: EvictionPolicy, name: str, trace: Sequence[VectorFacts], room: float, budget: int) -> KeptShare:
    held: dict[int, int] = {}
    used, hits, saved = 0, 0, 0.0
    for access in trace:
        if access.number in held:
            policy.accessed(access.number)
            hits, saved = hits + 1, saved + access.cost
            continue
        if access.nbytes > budget:
            continue
        used -= _make_room(policy, held, used + access.nbytes - budget)
        policy.admitted(access)
        held[access.number] = access.nbytes
        used += access.nbytes
    return KeptShare(name, room, hits / len(trace), saved / sum(access.cost for access in trace))


def _make_room(policy: EvictionPolicy, held: dict[int, int], needed: int) -> int:
    """Evict until `needed` bytes are free; returns how many were."""
    victims, freed = [], 0
    for number in policy.victims():
        if freed >= needed:
            break
        victims.append(number)
        freed += held[number]
    for number in victims:
        policy.removed(number)
        del held[number]
    return freed
