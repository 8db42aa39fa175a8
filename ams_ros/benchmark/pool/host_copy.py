"""What keeping a prefix in the host tier costs beside copying it, hash by hash."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from ams_ros.benchmark.interleaved import Subject, interleave, ratio
from ams_ros.benchmark.pool.samples import prefix_array
from ams_ros.context.hashing.choice import HASH_NAMES, find_hash
from ams_ros.context.hashing.protocol import Buffer, SegmentHash
from ams_ros.context.host.host_tier import HostTier
from ams_ros.context.host.shared_memory import SharedArea, area_name
from ams_ros.context.pool.pool_options import PoolOptions

_AREA_BYTES = 64 * 2**20
UNHASHED = "none"


@dataclass(frozen=True, slots=True)
class HostCopyCost:
    """Times a warm copy of the same bytes, by the name of the hash; UNHASHED: with a number in the place of a digest.

    put: of new content. put_known: of content that is there already. get: into memory of the reader's.
    """

    put: dict[str, float]
    put_known: dict[str, float]
    get: float


class _Unhashed:
    """Gives every segment a digest of its own and never looks at it: what is left is the tier's other work."""

    name = UNHASHED
    cryptographic = False

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def digest(self, data: Buffer) -> bytes:
        return next(self._numbers).to_bytes(16, "little")


def measure_host_copy(rounds: int) -> HostCopyCost:
    """Store and load a prefix of the published pi0's size, in turn with copying it."""
    hashes: list[SegmentHash] = [*map(find_hash, HASH_NAMES), _Unhashed()]
    content = prefix_array(1).reshape(-1).view(np.uint8)
    copied = np.zeros_like(content)
    with ExitStack() as stack:
        tiers = {hash.name: _tier(stack, hash) for hash in hashes}
        known = {name: tier.store(content) for name, tier in tiers.items()}
        fresh = content.copy()
        kept: list[tuple[HostTier, tuple[int, ...]]] = []

        def storing(tier: HostTier, what: np.ndarray) -> Subject:
            return lambda _: kept.append((tier, tier.store(what)))

        def renew(number: int) -> None:
            for tier, numbers in kept:
                tier.release(numbers)
            kept.clear()
            fresh[:: PoolOptions().segment_bytes] = number % 256
            fresh[1 :: PoolOptions().segment_bytes] = number // 256 + 1

        subjects: dict[str, Subject] = {"memcpy": lambda _: np.copyto(copied, content)}
        subjects |= {f"put {name}": storing(tier, fresh) for name, tier in tiers.items()}
        subjects |= {f"known {name}": storing(tier, content) for name, tier in tiers.items() if name != UNHASHED}
        subjects["get"] = lambda _: tiers["xxh3"].load(known["xxh3"], copied)
        seconds = interleave(subjects, rounds, after=renew)
    times = {name: ratio(took, seconds["memcpy"]) for name, took in seconds.items()}
    return HostCopyCost(
        put={name: times[f"put {name}"] for name in tiers},
        put_known={name: times[f"known {name}"] for name in tiers if name != UNHASHED},
        get=times["get"],
    )


def _tier(stack: ExitStack, hash: SegmentHash) -> HostTier:
    area = SharedArea.create(area_name("bench", hash.name), _AREA_BYTES)
    stack.callback(area.close)
    return HostTier(area, hash, PoolOptions().segment_bytes)
