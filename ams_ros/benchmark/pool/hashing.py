"""How fast content is hashed, against copying it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ams_ros.benchmark.interleaved import Subject, interleave
from ams_ros.benchmark.pool.samples import prefix_array
from ams_ros.context.hashing.choice import HASH_NAMES, find_hash
from ams_ros.context.hashing.two_phase import fingerprint
from ams_ros.context.pool.pool_options import PoolOptions


@dataclass(frozen=True, slots=True)
class HashingSpeed:
    """GB (1e9 bytes) per second on one core: of a warm copy, and of both phases of every hash by its name."""

    memcpy_gb_s: float
    hash_gb_s: dict[str, float]


def measure_hashing(rounds: int) -> HashingSpeed:
    """Hash and copy a prefix of the published pi0's size, in turn."""
    content = prefix_array(0).reshape(-1).view(np.uint8)
    copied = np.zeros_like(content)

    def hashing(name: str) -> Subject:
        hash = find_hash(name)
        return lambda _: fingerprint(content, PoolOptions().segment_bytes, hash)

    subjects: dict[str, Subject] = {name: hashing(name) for name in HASH_NAMES}
    subjects["memcpy"] = lambda _: np.copyto(copied, content)
    seconds = interleave(subjects, rounds)
    speed = {name: float(content.nbytes / np.median(took) / 1e9) for name, took in seconds.items()}
    return HashingSpeed(speed.pop("memcpy"), speed)
