"""What keeping a prefix in the disk tier costs beside writing the same bytes to a file and reading them again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ams_ros.benchmark.interleaved import interleave, ratio
from ams_ros.benchmark.pool.samples import PREFIX_SHAPE, embeddings, prefix_array, record
from ams_ros.context.disk.disk_tier import DiskTier, DiskVector
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.records import VectorKind


@dataclass(frozen=True, slots=True)
class DiskCopyCost:
    """Median milliseconds, and times a plain file. put: durable at return, as is the plain file. get: checked."""

    put_ms: float
    get_ms: float
    put_ratio_to_file: float
    get_ratio_to_file: float


def measure_disk_copy(folder: Path, rounds: int) -> DiskCopyCost:
    """Save and load a prefix of the published pi0's size in `folder`, in turn with a plain file."""
    content = prefix_array(2).reshape(-1).view(np.uint8)
    plain = folder / "plain"
    tier = DiskTier(folder / "store", 2**32, segment_bytes=PoolOptions().segment_bytes)
    situation = embeddings(1, 128, 0)[0]
    numbers: list[int] = []

    def save(number: int) -> None:
        vector = DiskVector(VectorKind.PREFIX, "", b"", "uint16", PREFIX_SHAPE, 0.0, content)
        numbers.append(tier.save(record(number, situation), [vector])[0])

    def write(_: int) -> None:
        with plain.open("wb") as file:
            file.write(content.data)
            file.flush()
            os.fsync(file.fileno())

    def renew(number: int) -> None:
        content[:: PoolOptions().segment_bytes] = number % 256
        content[1 :: PoolOptions().segment_bytes] = number // 256 + 1

    try:
        renew(0)
        seconds = interleave(
            {
                "write": write,
                "save": save,
                "read": lambda _: plain.read_bytes(),
                "load": lambda _: tier.load(numbers[-1]),
            },
            rounds,
            after=lambda number: renew(number + 1),
        )
    finally:
        tier.close()
    return DiskCopyCost(
        put_ms=float(np.median(seconds["save"]) * 1e3),
        get_ms=float(np.median(seconds["load"]) * 1e3),
        put_ratio_to_file=ratio(seconds["save"], seconds["write"]),
        get_ratio_to_file=ratio(seconds["load"], seconds["read"]),
    )
