"""What ten episodes of the cubes task leave in a pool, and the accesses they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ams_ros.benchmark.local_reuse import LocalReuse
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.rollout import Rollout
from ams_ros.context.eviction.policy import VectorFacts
from ams_ros.context.pool.pool import ContextPool
from ams_ros.errors import PoolError
from ams_ros.policy.pi0 import load_policy

TASK, OBJECTS, SEED = "cubes", 1, 100_000
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class StoredEpisodes:
    """What a pool holds after some episodes of one cube.

    logical_bytes: of all vectors of all contexts. stored_bytes: what they take. episodes: the look-ups of each, in
    order, numbers equal where inputs are.
    """

    contexts: int
    logical_bytes: int
    stored_bytes: int
    episodes: tuple[tuple[VectorFacts, ...], ...]

    @property
    def ratio(self) -> float:
        """How many times smaller storing everything once has made them."""
        return self.logical_bytes / self.stored_bytes


def store_episodes(policy: str, seeds: Sequence[int]) -> StoredEpisodes:
    """Run the shipped task with the policy once for each seed, all into one pool."""
    request = EvaluationRequest(TASK, "context", OBJECTS, len(seeds), SEED, policy, workers=1)
    loaded = load_policy(policy)
    with LocalReuse(loaded) as reuse:
        rollout = Rollout(request, loaded, reuse)
        for seed in seeds:
            rollout.run(seed)
        return _stored(reuse)


def _stored(reuse: LocalReuse) -> StoredEpisodes:
    stats = reuse.pool.stats()
    lost = stats.evictions + stats.drops + stats.refused
    if lost:
        raise PoolError(f"{lost} vectors or contexts found no room: free shared memory in /dev/shm and measure again")
    return StoredEpisodes(stats.contexts, stats.logical_bytes, stats.stored_bytes, _accesses(reuse.pool))


def _accesses(pool: ContextPool) -> tuple[tuple[VectorFacts, ...], ...]:
    """The keyed vectors of every context, episode by episode in the order they were inferred."""
    by_episode: dict[str, list[tuple[int, list[VectorFacts]]]] = defaultdict(list)
    numbers: dict[bytes, int] = {}
    offset = 0
    while page := pool.listing("", None, offset, _PAGE).contexts:
        offset += len(page)
        for context in page:
            record = context.record
            places = pool.listing(record.context_id, None, 0, 1, vectors=True).contexts[0].places
            facts = [
                VectorFacts(numbers.setdefault(place.key, len(numbers)), place.kind, place.nbytes, place.cost)
                for place in places
                if place.key
            ]
            by_episode[record.episode].append((record.index, facts))
    return tuple(
        tuple(access for _, facts in sorted(contexts, key=lambda each: each[0]) for access in facts)
        for contexts in by_episode.values()
    )
