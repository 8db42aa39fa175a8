"""One context of an export as a line of text: a BLAKE3 digest, a space, and JSON that the digest is taken of."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ams_ros.context.disk.disk_records import is_vector_name
from ams_ros.context.disk.disk_rows import digest
from ams_ros.context.records import (
    MAXIMUM_VECTORS,
    ContextOutcome,
    ContextRecord,
    ModelKey,
    VectorKind,
    check_layout,
)
from ams_ros.errors import ConfigurationError, PoolError

MAXIMUM_LINE_BYTES = 2**20

_DIGEST_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class PortableVector:
    """A vector of a line. content: hex BLAKE3 digest of its bytes; the rest as in NewVector."""

    kind: VectorKind
    name: str
    key: bytes
    cost: float
    dtype: str
    shape: tuple[int, ...]
    content: str

    @property
    def nbytes(self) -> int:
        """Size of its array."""
        return check_layout(self.kind, self.dtype, self.shape)

    @property
    def tensor(self) -> str:
        """Name of its tensor: equal names mean equal bytes of equal layout."""
        return f"{self.content}.{self.dtype}.{'x'.join(map(str, self.shape))}"


@dataclass(frozen=True, slots=True)
class PortableLine:
    """What a line says."""

    record: ContextRecord
    pinned: bool
    vectors: tuple[PortableVector, ...]


def encode_line(line: PortableLine) -> bytes:
    """The line, newline included; raises PoolError when it is longer than a reader accepts."""
    record = line.record
    content = {
        "context_id": record.context_id,
        "model": record.model.to_json(),
        "instruction": record.instruction,
        "episode": record.episode,
        "index": int(record.index),
        "outcome": record.outcome.value,
        "created": float(record.created),
        "joints": [float(joint) for joint in record.joints],
        "gripper": float(record.gripper),
        "embedding": np.ascontiguousarray(record.embedding, "<f4").tobytes().hex(),
        "seed": int(record.seed),
        "start_time": float(record.start_time),
        "guided_by": record.guided_by,
        "pinned": bool(line.pinned),
        "vectors": [
            {
                "kind": vector.kind.value,
                "name": vector.name,
                "key": vector.key.hex(),
                "cost": float(vector.cost),
                "dtype": vector.dtype,
                "shape": list(vector.shape),
                "content": vector.content,
            }
            for vector in line.vectors
        ],
    }
    text = json.dumps(content, separators=(",", ":")).encode()
    if _DIGEST_CHARACTERS + 2 + len(text) > MAXIMUM_LINE_BYTES:
        raise PoolError(f"context {record.context_id}: {len(text)} bytes of text, at most {MAXIMUM_LINE_BYTES} allowed")
    return b"%s %s\n" % (digest(text).hex().encode(), text)


def decode_line(line: bytes) -> PortableLine:
    """What the line says, newline left out; raises PoolError for a line that is damaged or that nobody may trust."""
    checksum, space, text = line[:_DIGEST_CHARACTERS], line[_DIGEST_CHARACTERS : _DIGEST_CHARACTERS + 1], line[65:]
    if space != b" " or digest(text).hex().encode() != checksum:
        raise PoolError("a line does not match its checksum")
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise PoolError(f"a line holds a {type(content).__name__}, not a JSON object")
        vectors = _take(content, "vectors", list)
        if len(vectors) > MAXIMUM_VECTORS:
            raise PoolError(f"a context with {len(vectors)} vectors, at most {MAXIMUM_VECTORS} allowed")
        return PortableLine(_record(content), _take(content, "pinned", bool), tuple(map(_vector, vectors)))
    except (ConfigurationError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise PoolError(f"a line cannot be used: {error}") from error


def _record(content: dict[str, Any]) -> ContextRecord:
    return ContextRecord(
        context_id=_take(content, "context_id", str),
        model=ModelKey.from_json(_take(content, "model", str)),
        instruction=_take(content, "instruction", str),
        episode=_take(content, "episode", str),
        index=_take(content, "index", int),
        outcome=ContextOutcome(_take(content, "outcome", str)),
        created=_number(content, "created"),
        joints=np.array(_numbers(_take(content, "joints", list)), np.float64),
        gripper=_number(content, "gripper"),
        embedding=np.frombuffer(bytes.fromhex(_take(content, "embedding", str)), "<f4").astype(np.float32),
        seed=_take(content, "seed", int),
        start_time=_number(content, "start_time"),
        guided_by=_take(content, "guided_by", str),
    )


def _vector(entry: object) -> PortableVector:
    if not isinstance(entry, dict):
        raise PoolError("a vector that is not a JSON object")
    name, key, cost = _take(entry, "name", str), bytes.fromhex(_take(entry, "key", str)), _number(entry, "cost")
    if not is_vector_name(name) or not 0.0 <= cost < float("inf"):
        raise PoolError(f"a vector named {name[:80]!r} of cost {cost}")
    shape = tuple(_take({"length": length}, "length", int) for length in _take(entry, "shape", list))
    kind, dtype = VectorKind(_take(entry, "kind", str)), _take(entry, "dtype", str)
    check_layout(kind, dtype, shape)
    return PortableVector(kind, name, key, cost, dtype, shape, _take(entry, "content", str))


def _take(content: dict[str, Any], name: str, kind: Callable[..., Any]) -> Any:
    """A field of exactly that type; JSON's true is no number."""
    value = content.get(name)
    if type(value) is not kind:
        raise PoolError(f"{name} is {str(value)[:80]!r}, expected {getattr(kind, '__name__', kind)}")
    return value


def _number(content: dict[str, Any], name: str) -> float:
    return _numbers([content.get(name)])[0]


def _numbers(values: Sequence[object]) -> list[float]:
    numbers = [float(value) for value in values if type(value) in (int, float)]  # type: ignore[arg-type]
    if len(numbers) != len(values):
        raise PoolError("something that is not a number where numbers are expected")
    return numbers
