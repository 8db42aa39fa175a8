"""Between the messages of the context pool and the records of ams_ros.context."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from std_msgs.msg import Header

from ams_ros.context.pool.pool_records import PoolFigures, VectorPlace
from ams_ros.context.records import (
    KEY_BYTES,
    MAXIMUM_EMBEDDING,
    MAXIMUM_VECTORS,
    ContextOutcome,
    ContextRecord,
    ModelKey,
    VectorKind,
    check_layout,
)
from ams_ros.errors import ConfigurationError
from ams_ros.msg import ContextInfo, PoolStats, VectorInfo
from ams_ros.types import Float32Array

T = TypeVar("T")

MAXIMUM_MODEL_TEXT = 8192
MAXIMUM_JOINTS = 256
MAXIMUM_NAME = 128
MAXIMUM_COST = 3600.0
"""Seconds; no vector takes longer to compute, and a larger claim would keep it from ever being evicted."""


@lru_cache(maxsize=16)
def _model_of(text: str) -> ModelKey:
    return ModelKey.from_json(text)


def model_of(text: str) -> ModelKey:
    """The model key of its JSON form; raises ConfigurationError when it is none."""
    if len(text) > MAXIMUM_MODEL_TEXT:
        raise ConfigurationError("model", f"{len(text)} characters", f"at most {MAXIMUM_MODEL_TEXT}")
    return _model_of(text)


def keys_of(field: Sequence[int], maximum: int) -> tuple[bytes, ...]:
    """Input keys that stand one after another; raises ConfigurationError for a broken one or too many."""
    count, rest = divmod(len(field), KEY_BYTES)
    if rest or count > maximum:
        raise ConfigurationError("keys", f"{len(field)} bytes", f"at most {maximum} keys of {KEY_BYTES} bytes")
    joined = bytes(field)
    return tuple(joined[place : place + KEY_BYTES] for place in range(0, len(joined), KEY_BYTES))


def kinds_of(names: Sequence[str]) -> tuple[VectorKind, ...]:
    """Kinds of vectors by name; raises ConfigurationError for an unknown one."""
    known = {kind.value: kind for kind in VectorKind}
    if len(names) > len(known):
        raise ConfigurationError("kinds", f"{len(names)} names", f"at most {len(known)}")
    return tuple(_one_of("kinds", name, known) for name in names)


def outcome_of(name: str) -> ContextOutcome:
    """The outcome of that name; raises ConfigurationError for an unknown one."""
    return _one_of("outcome", name, {outcome.value: outcome for outcome in ContextOutcome})


def outcomes_of(names: Sequence[str]) -> tuple[ContextOutcome, ...]:
    """Outcomes by name; raises ConfigurationError for an unknown one."""
    if len(names) > len(ContextOutcome):
        raise ConfigurationError("outcomes", f"{len(names)} names", f"at most {len(ContextOutcome)}")
    return tuple(map(outcome_of, names))


def embedding_of(field: Sequence[float]) -> Float32Array:
    """An embedding of length 1; raises ConfigurationError for another length or a number that is not finite."""
    if not 1 <= len(field) <= MAXIMUM_EMBEDDING:
        raise ConfigurationError("embedding", f"{len(field)} numbers", f"1..{MAXIMUM_EMBEDDING}")
    embedding = np.array(field, dtype=np.float32)
    length = float(np.linalg.norm(embedding.astype(np.float64)))
    if not abs(length - 1.0) <= 1e-3:
        raise ConfigurationError("embedding", f"a vector of length {length}", "a vector of length 1")
    return embedding


def record_of(message: ContextInfo) -> ContextRecord:
    """The record of a context; raises ConfigurationError naming the field that cannot be kept."""
    if len(message.joints) > MAXIMUM_JOINTS:
        raise ConfigurationError("joints", f"{len(message.joints)} numbers", f"at most {MAXIMUM_JOINTS}")
    return ContextRecord(
        context_id=message.context_id,
        model=model_of(message.model),
        instruction=message.instruction,
        episode=message.episode,
        index=message.index,
        outcome=outcome_of(message.outcome),
        created=message.created,
        joints=np.array(message.joints, dtype=np.float64),
        gripper=message.gripper,
        embedding=embedding_of(message.embedding),
        seed=message.seed,
        start_time=message.start_time,
        guided_by=message.guided_by,
    )


def context_message(record: ContextRecord, pinned: bool = False, vectors: Iterable[VectorInfo] = ()) -> ContextInfo:
    """A record as a message."""
    return ContextInfo(
        context_id=record.context_id,
        model=record.model.to_json(),
        instruction=record.instruction,
        episode=record.episode,
        index=record.index,
        outcome=record.outcome.value,
        created=record.created,
        joints=array("d", record.joints.astype(np.float64).tobytes()),
        gripper=record.gripper,
        embedding=array("f", record.embedding.astype(np.float32).tobytes()),
        seed=record.seed,
        start_time=record.start_time,
        guided_by=record.guided_by,
        pinned=pinned,
        vectors=list(vectors),
    )


def vector_message(place: VectorPlace) -> VectorInfo:
    """A stored vector and where its pieces lie."""
    return VectorInfo(
        kind=place.kind.value,
        name=place.name,
        key=array("B", place.key),
        dtype=place.dtype,
        shape=array("Q", place.shape),
        nbytes=place.nbytes,
        cost=place.cost,
        accesses=place.accesses,
        tier=place.tier,
        offsets=array("Q", [offset for offset, _ in place.pieces]),
        sizes=array("Q", [nbytes for _, nbytes in place.pieces]),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class VectorLayout:
    """A vector as a message describes it, checked: pieces are (offset, nbytes) that sum to nbytes."""

    kind: VectorKind
    name: str
    key: bytes
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    cost: float
    tier: str
    pieces: tuple[tuple[int, int], ...]


def layout_of(message: VectorInfo, maximum_pieces: int) -> VectorLayout:
    """What a message says of a vector; raises ConfigurationError where it contradicts itself."""
    kind = _one_of("kind", message.kind, {each.value: each for each in VectorKind})
    if len(message.name) > MAXIMUM_NAME:
        found = f"{len(message.name)} characters"
        raise ConfigurationError(f"name of vector {kind.value}", found, f"at most {MAXIMUM_NAME}")
    if not 0.0 <= message.cost <= MAXIMUM_COST:
        raise ConfigurationError(f"cost of vector {kind.value}", message.cost, f"0..{MAXIMUM_COST} s")
    if not (len(message.offsets) == len(message.sizes) <= maximum_pieces):
        found = f"{len(message.offsets)} offsets, {len(message.sizes)} sizes"
        raise ConfigurationError(f"pieces of vector {kind.value}", found, f"as many of both, at most {maximum_pieces}")
    shape = tuple(message.shape)
    nbytes = check_layout(kind, message.dtype, shape)
    if not nbytes == message.nbytes == sum(message.sizes):
        found = f"nbytes {message.nbytes}, pieces of {sum(message.sizes)} bytes"
        raise ConfigurationError(f"size of vector {kind.value}", found, f"{nbytes} bytes, as {shape} {message.dtype}")
    return VectorLayout(
        kind=kind,
        name=message.name,
        key=bytes(message.key),
        dtype=message.dtype,
        shape=shape,
        nbytes=nbytes,
        cost=message.cost,
        tier=message.tier,
        pieces=tuple(zip(message.offsets, message.sizes, strict=True)),
    )


def layouts_of(messages: Sequence[VectorInfo], maximum_pieces: int) -> tuple[VectorLayout, ...]:
    """What the messages say of vectors; raises ConfigurationError for too many, or for one that contradicts itself."""
    if len(messages) > MAXIMUM_VECTORS:
        raise ConfigurationError("vectors", len(messages), f"at most {MAXIMUM_VECTORS}")
    return tuple(layout_of(message, maximum_pieces) for message in messages)


def stats_message(figures: PoolFigures, header: Header) -> PoolStats:
    """The figures of a pool as a message of the same fields."""
    fields = {each.name: getattr(figures, each.name) for each in dataclasses.fields(figures)}
    return PoolStats(header=header, **fields)


def _one_of(key: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise ConfigurationError(key, name[:100], ", ".join(known))
    return known[name]
