"""Made-up contexts that have the shape of real ones; the same seed gives the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from ams_ros.context.records import (
    Array,
    ContextOutcome,
    ContextRecord,
    ModelKey,
    NewContext,
    NewVector,
    VectorKind,
)
from ams_ros.types import Float32Array

MODEL = ModelKey("bench", "0" * 64, "1" * 64, "float32", ("overview", "wrist"), "none", "widowx_250s")
INSTRUCTION = "put the cubes in the bowl"
PREFIX_SHAPE = (2, 18, 1, 816, 256)
"""Prefix of the published pi0: 18 layers of one key-value head of 256, 768 image tokens and 48 of text, bfloat16."""

_SITUATIONS = 12
"""Directions in which situations of one task really differ: poses of arm and objects, not every number by itself."""
_EPISODE = 25
"""Contexts of one episode."""
_CHUNK = 1000
"""Contexts whose embeddings are made at once."""


def prefix_array(seed: int) -> Array:
    """A prefix of the published pi0's size, 15,040,512 bytes of noise: (PREFIX_SHAPE) uint16."""
    return np.random.default_rng(seed).integers(0, 2**16, PREFIX_SHAPE, np.uint16)


def embeddings(count: int, dimensions: int, seed: int) -> Float32Array:
    """Situations as (count, dimensions) float32 rows of length 1: slow walks of many episodes through one task."""
    rng = np.random.default_rng(seed)
    walk = 0.15 * rng.standard_normal((count, _SITUATIONS), np.float32)
    walk[::_EPISODE] = rng.standard_normal((len(walk[::_EPISODE]), _SITUATIONS), np.float32)
    for start in range(0, count, _EPISODE):
        np.cumsum(walk[start : start + _EPISODE], axis=0, out=walk[start : start + _EPISODE])
    spread = np.random.default_rng(_SITUATIONS).standard_normal((_SITUATIONS, dimensions), np.float32)
    rows = walk @ spread + 0.1 * rng.standard_normal((count, dimensions), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def input_keys(number: int) -> tuple[bytes, bytes, bytes]:
    """Keys of the inputs of context `number`: both pictures and the prefix."""
    first, second, third = (hashlib.sha256(f"{number} {place}".encode()).digest() for place in range(3))
    return first, second, third


def record(number: int, embedding: Float32Array) -> ContextRecord:
    """The record of context `number`."""
    return ContextRecord(
        context_id=f"bench-{number}",
        model=MODEL,
        instruction=INSTRUCTION,
        episode=f"episode-{number // _EPISODE}",
        index=number % _EPISODE,
        outcome=ContextOutcome.SUCCEEDED,
        created=1.7e9 + number,
        joints=np.zeros(6),
        gripper=0.03,
        embedding=embedding,
        seed=number,
        start_time=1.0,
        guided_by="",
    )


def small_contexts(count: int, dimensions: int, seed: int) -> Iterator[NewContext]:
    """Contexts with the eight vectors of a real inference but few bytes in each; their keys are `input_keys`."""
    rng = np.random.default_rng(seed)
    for start in range(0, count, _CHUNK):
        rows = embeddings(min(_CHUNK, count - start), dimensions, seed + start)
        for number, row in enumerate(rows, start):
            overview, wrist, prefix = input_keys(number)
            vectors = (
                NewVector(VectorKind.VISION, "overview", rng.random((4, 4), np.float32), overview, 0.001),
                NewVector(VectorKind.VISION, "wrist", rng.random((4, 4), np.float32), wrist, 0.001),
                NewVector(VectorKind.PREFIX, "", rng.random((2, 1, 1, 4, 4), np.float32), prefix, 0.002),
                NewVector(VectorKind.LATENTS, "", rng.random((3, 4, 8), np.float32), cost=0.01),
                NewVector(VectorKind.TIMES, "", rng.random(3)),
                NewVector(VectorKind.OUTPUT, "", rng.random((4, 8), np.float32)),
                NewVector(VectorKind.JOINTS, "", rng.random((4, 6))),
                NewVector(VectorKind.GRIPPER, "", rng.random(4)),
            )
            yield NewContext(record(number, row.copy()), vectors)
