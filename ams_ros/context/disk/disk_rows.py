"""Rows of the disk index as records and back, each sealed by a checksum of its own.

SQLite notices torn pages by their structure, not by their content: a flipped bit inside a text or a blob passes. So
every row that names, describes or connects something carries a digest of all it says, and a row that does not match
is damaged, whatever it says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import blake3
import numpy as np

from ams_ros.context.disk.disk_records import DiskVector, DiskVectorRow
from ams_ros.context.hashing.blake3 import Blake3Hash
from ams_ros.context.records import ContextOutcome, ContextRecord, ModelKey, VectorKind, check_layout
from ams_ros.errors import ConfigurationError, PoolError

DIGEST_BYTES = 32
CHECKSUM_BYTES = 16

CONTEXT_COLUMNS = (
    "context_id, instruction, episode, place, outcome, created, joints, gripper, embedding, seed, start_time, "
    "guided_by, pinned, model"
)
VECTOR_COLUMNS = "kind, name, key, dtype, shape, cost, content"

_HASH = Blake3Hash()


def digest(content: Any) -> bytes:
    """BLAKE3 of a buffer, the name of a segment."""
    return _HASH.digest(content)


def seal(*fields: object) -> bytes:
    """The checksum of a row's fields: unambiguous, because it is taken of their JSON list."""
    listed = [field.hex() if isinstance(field, bytes) else field for field in fields]
    return _checksum(json.dumps(listed).encode())


def seal_vector(number: int, row: Sequence[Any]) -> bytes:
    """seal(number, *row) of VECTOR_COLUMNS, put together faster: opening a store computes it for every vector."""
    kind, name, key, dtype, shape, cost, content = row
    text = f'[{number}, {_listed(kind, name)}, "{key.hex()}", {_listed(dtype, shape)}, {cost!r}, "{content.hex()}"]'
    return _checksum(text.encode())


def seal_holding(context_id: str, number: int, seal_of_vector: bytes) -> bytes:
    """The checksum of the row that connects a context and a vector: of 24 bytes and a text, so unambiguous too."""
    return _checksum(number.to_bytes(8, "little", signed=True) + seal_of_vector + context_id.encode())


def context_row(record: ContextRecord, pinned: bool, model: int) -> tuple[Any, ...]:
    """CONTEXT_COLUMNS of a record; SQLite's integers are signed, so seeds from 2^63 on are stored as negative."""
    return (
        record.context_id,
        record.instruction,
        record.episode,
        int(record.index),
        record.outcome.value,
        float(record.created),
        np.ascontiguousarray(record.joints, np.float64).tobytes(),
        float(record.gripper),
        np.ascontiguousarray(record.embedding, np.float32).tobytes(),
        int(record.seed) - 2**64 if record.seed >= 2**63 else int(record.seed),
        float(record.start_time),
        record.guided_by,
        int(pinned),
        model,
    )


def seal_context(row: tuple[Any, ...], model_digest: bytes) -> bytes:
    """Checksum of CONTEXT_COLUMNS; the model counts by what it says, not by the number of its row."""
    return seal(*row[:-1], model_digest)


def record_of(row: tuple[Any, ...], model: ModelKey) -> tuple[ContextRecord, bool]:
    """The record of CONTEXT_COLUMNS and whether it is pinned; raises PoolError when the row cannot be one."""
    context_id, instruction, episode, place, outcome, created, joints, gripper, embedding, seed, *rest = row
    start_time, guided_by, pinned, _ = rest
    try:
        record = ContextRecord(
            context_id=context_id,
            model=model,
            instruction=instruction,
            episode=episode,
            index=place,
            outcome=ContextOutcome(outcome),
            created=created,
            joints=np.frombuffer(joints, np.float64),
            gripper=gripper,
            embedding=np.frombuffer(embedding, np.float32),
            seed=seed % 2**64,
            start_time=start_time,
            guided_by=guided_by,
        )
    except (ConfigurationError, ValueError, TypeError) as error:
        raise PoolError(f"context {context_id!r}: {error}") from error
    return record, bool(pinned)


def with_outcome(row: tuple[Any, ...], outcome: ContextOutcome) -> tuple[Any, ...]:
    """CONTEXT_COLUMNS with another outcome."""
    return (*row[:4], outcome.value, *row[5:])


def with_pin(row: tuple[Any, ...], pinned: bool) -> tuple[Any, ...]:
    """CONTEXT_COLUMNS with the pin set or taken off."""
    return (*row[:-2], int(pinned), row[-1])


def vector_row(vector: DiskVector, segments: bytes) -> tuple[Any, ...]:
    """VECTOR_COLUMNS of a vector whose segments have those digests, one after the other."""
    shape = json.dumps(list(vector.shape))
    cost = float(vector.cost)
    return (vector.kind.value, vector.name, vector.key, vector.dtype, shape, cost, digest(segments))


def described(number: int, row: Sequence[Any]) -> DiskVectorRow:
    """The vector of VECTOR_COLUMNS; raises PoolError when the row cannot be one."""
    kind, name, key, dtype, shape, cost, _ = row
    try:
        named, lengths, nbytes = _layout(kind, dtype, shape)
    except (ConfigurationError, ValueError, TypeError, RecursionError) as error:
        raise PoolError(f"vector {number}: {error}") from error
    return DiskVectorRow(number, named, name, key, dtype, lengths, nbytes, cost)


def split_digests(segments: bytes) -> list[bytes]:
    """The digests a vector's list of segments consists of."""
    return [segments[start : start + DIGEST_BYTES] for start in range(0, len(segments), DIGEST_BYTES)]


def _checksum(text: bytes) -> bytes:
    """The beginning of the digest of a few bytes, without the care that large buffers need."""
    return blake3.blake3(text).digest(CHECKSUM_BYTES)


# A store has few layouts and names, and very many vectors of them.
@lru_cache(maxsize=4096)
def _layout(kind: str, dtype: str, shape: str) -> tuple[VectorKind, tuple[int, ...], int]:
    """Kind, lengths and bytes of a vector of that layout; raises ConfigurationError, ValueError, TypeError."""
    lengths, named = tuple(json.loads(shape)), VectorKind(kind)
    return named, lengths, check_layout(named, dtype, lengths)


@lru_cache(maxsize=4096)
def _listed(*texts: str) -> str:
    """The texts as they stand within a JSON list."""
    return json.dumps(texts)[1:-1]
