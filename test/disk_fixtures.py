"""Contexts of known content for the tests of the disk tier and of exports."""

from __future__ import annotations

import zlib

import numpy as np

from ams_ros.context.disk.disk_tier import DiskVector
from ams_ros.context.records import ContextOutcome, ContextRecord, ModelKey, NewContext, NewVector, VectorKind

MODEL = ModelKey("pi0-test", "ab" * 32, "cd" * 32, "bfloat16", ("front", "wrist"), "cal-1", "widowx250")


def record(name: str, **changes) -> ContextRecord:
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    direction = generator.standard_normal(64)
    fields = {
        "context_id": name,
        "model": MODEL,
        "instruction": "put every cube into the bowl",
        "episode": "episode-1",
        "index": 3,
        "outcome": ContextOutcome.UNKNOWN,
        "created": 1.7e9,
        "joints": generator.standard_normal(6),
        "gripper": 0.03,
        # In half precision, as the pool keeps it, so that what comes back is what was put.
        "embedding": np.asarray(direction / np.linalg.norm(direction), np.float16).astype(np.float32),
        "seed": 2**64 - 1,
        "start_time": 1.0,
        "guided_by": "",
    }
    return ContextRecord(**{**fields, **changes})


def content(seed: int, nbytes: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, nbytes, np.uint8)


def vector(kind: VectorKind, seed: int, nbytes: int, name: str = "", key: bytes = b"") -> DiskVector:
    return DiskVector(kind, name, key, "uint8", (nbytes,), 0.25, content(seed, nbytes))


def new_context(name: str, seed: int = 0, **changes) -> NewContext:
    generator = np.random.default_rng(seed)
    vectors = (
        NewVector(VectorKind.VISION, "front", content(seed, 20_000).view(np.uint16).reshape(100, 100), b"k" * 32, 0.5),
        NewVector(VectorKind.LATENTS, "", generator.standard_normal((3, 5, 7)).astype(np.float32)),
        NewVector(VectorKind.TIMES, "", np.linspace(1.0, 0.0, 3)),
        NewVector(VectorKind.JOINTS, "", generator.standard_normal((5, 6))),
    )
    return NewContext(record(name, **changes), vectors)


def same_record(one: ContextRecord, other: ContextRecord) -> bool:
    """Whether two records say the same, arrays included."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        if isinstance(getattr(one, name), np.ndarray)
        else getattr(one, name) == getattr(other, name)
        for name in ContextRecord.__slots__
    )
