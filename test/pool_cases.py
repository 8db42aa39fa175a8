"""Pools as the tests of single cases want them: small, strict, and soon full."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from pool_model import content, context, input_key

from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.records import ContextRecord, NewContext, NewVector, VectorKind

KIB, MIB = 2**10, 2**20
KINDS = tuple(VectorKind)
VISION, PREFIX, LATENTS, TIMES = VectorKind.VISION, VectorKind.PREFIX, VectorKind.LATENTS, VectorKind.TIMES
INPUT_KEYS = tuple(input_key(0, kind, 0) for kind in (VISION, PREFIX))
"""Of the two vectors of `context(...)` that have one."""


def options(path: Path | None = None, **changes: object) -> PoolOptions:
    given = {"host_bytes": MIB, "disk_bytes": 64 * MIB, "segment_bytes": 4096, "board_keys": 256, "store": "test-pool"}
    return PoolOptions(path=path, **{**given, **changes})


def same(first: ContextRecord, second: ContextRecord) -> bool:
    return all(np.array_equal(getattr(first, each.name), getattr(second, each.name)) for each in fields(ContextRecord))


def tiers(pool: ContextPool, reference: str) -> dict[VectorKind, str]:
    listing = pool.listing(reference, vectors=True)
    return {place.kind: place.tier for place in listing.contexts[0].places}


def fill(pool: ContextPool, count: int, first: int = 100) -> None:
    for serial in range(first, first + count):
        new = context(serial)
        large = NewVector(VectorKind.OUTPUT, "", content(serial, 9 * KIB))
        pool.put(NewContext(new.record, (*new.vectors[2:], large)))
