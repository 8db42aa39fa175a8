"""Similarity lookup: contexts of one model and instruction that began in a similar situation (spec C2, C7)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from ams_ros.context.index.vector_partition import VectorPartition
from ams_ros.context.index.vector_rows import Mask
from ams_ros.context.memory.half_rows import HalfArray, half_rows
from ams_ros.context.records import KEY_BYTES, MAXIMUM_EMBEDDING, Array, ContextOutcome
from ams_ros.errors import ConfigurationError
from ams_ros.types import Float32Array

MAXIMUM_NUMBER = 2**31 - 1

_SLOT_BITS = 40
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class _PartitionKey:
    model_digest: bytes
    instruction: str
    outcome: ContextOutcome


class SimilarityIndex:
    """Embeddings by number, in a partition for each model, instruction and outcome: a filter is a choice of partitions.

    Within a partition embeddings are compared one by one while they are at most `exact_limit`; above it a vector
    graph is walked, which may miss a few. Either way the cosine returned is that of the stored embedding, which has
    half precision (error below 1e-3). Numbers are small and used again: memory grows with the largest by 8 bytes each.
    Not thread-safe: the pool calls it under its own lock.
    """

    def __init__(self, exact_limit: int = 10_000) -> None:
        """Nothing is held yet; raises ConfigurationError for a limit below 1."""
        if exact_limit < 1:
            raise ConfigurationError("exact_limit", exact_limit, "at least 1")
        self._limit = exact_limit
        self._numbers_of_keys: dict[_PartitionKey, int] = {}
        self._partitions: dict[int, tuple[_PartitionKey, VectorPartition]] = {}
        self._made = 0
        # By number, partition and slot in one integer: a dictionary would cost 100 bytes a context.
        self._places = array("q")
        self._count = 0

    def __len__(self) -> int:
        """How many embeddings are held."""
        return self._count

    def add(
        self,
        number: int,
        model_digest: bytes,
        instruction: str,
        outcome: ContextOutcome,
        embedding: Float32Array | HalfArray,
    ) -> None:
        """Hold one embedding, (d,) of length 1, under a number that is not held yet.

        Raises ConfigurationError for anything else, and for a d that is not that of the partition.
        """
        key = _partition_key(model_digest, instruction, outcome)
        vectors = _kept_rows(np.asarray(embedding)[None])
        self._check_new((number,))
        self._check_dimension(key, vectors.shape[1])
        self._add(number, key, vectors[0])

    def add_many(
        self,
        numbers: Sequence[int],
        model_digest: bytes,
        instruction: str,
        outcome: ContextOutcome,
        embeddings: Float32Array | HalfArray,
    ) -> None:
        """Hold embeddings (n, d) under n numbers, all or none of them; raises what `add` raises.

        For filling an index: where this crosses the limit the graph is built before it returns, by all cores.
        """
        key = _partition_key(model_digest, instruction, outcome)
        vectors = _kept_rows(np.asarray(embeddings))
        self._check_new(numbers)
        if len(vectors) != len(numbers):
            raise ConfigurationError("embeddings", f"{len(vectors)} rows", f"one for each of {len(numbers)} numbers")
        if not len(numbers):
            return
        self._check_dimension(key, vectors.shape[1])
        place, partition = self._partition(key, vectors.shape[1])
        for number, slot in zip(numbers, partition.add_many(numbers, vectors), strict=True):
            self._put(number, place << _SLOT_BITS | slot)

    def remove(self, number: int) -> None:
        """Let go of an embedding; raises ConfigurationError when the number is not held."""
        self._take(number)

    def move(self, number: int, outcome: ContextOutcome) -> None:
        """Change the outcome an embedding is found under; raises ConfigurationError when the number is not held.

        Also when another size of embedding is held under that outcome; then nothing is changed.
        """
        key, partition, _ = self._find(number)
        if key.outcome is outcome:
            return
        new = _partition_key(key.model_digest, key.instruction, outcome)
        self._check_dimension(new, partition.dimension)
        self._add(number, new, self._take(number))

    def embedding(self, number: int) -> Float32Array:
        """A copy of an embedding, (d,), as it is held; raises ConfigurationError when the number is not held."""
        _, partition, slot = self._find(number)
        return partition.vector(slot).astype(np.float32)

    def search(
        self,
        model_digest: bytes,
        instruction: str,
        outcomes: Iterable[ContextOutcome],
        embedding: Float32Array,
        count: int,
        *,
        exact: bool = False,
        only: Mask | None = None,
    ) -> list[tuple[int, float]]:
        """At most `count` (number, cosine), most similar first, among the outcomes named; no outcome means every one.

        exact: compare with every one whatever their number. only: by number, for every one that is held, whether it is
        wanted; all of those that are are compared. Raises ConfigurationError for an embedding that is not of
        length 1 or of another size than those it is compared with, and for a negative count.
        """
        if count < 0:
            raise ConfigurationError("count", count, "0 or more")
        query = _checked_rows(np.asarray(embedding)[None])[0]
        query /= np.linalg.norm(query)
        found: list[tuple[int, float]] = []
        for outcome in set(outcomes) or set(ContextOutcome):
            key = _PartitionKey(model_digest, instruction, outcome)
            if key in self._numbers_of_keys:
                self._check_dimension(key, len(query))
                _, partition = self._partitions[self._numbers_of_keys[key]]
                found += partition.search(query, count, exact, only)
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:count]

    def _add(self, number: int, key: _PartitionKey, vector: HalfArray) -> None:
        place, partition = self._partition(key, len(vector))
        self._put(number, place << _SLOT_BITS | partition.add(number, vector))

    def _put(self, number: int, place: int) -> None:
        self._places.extend(repeat(_NOWHERE, number + 1 - len(self._places)))
        self._places[number] = place
        self._count += 1

    def _take(self, number: int) -> HalfArray:
        """Let go of an embedding and return it."""
        key, partition, slot = self._find(number)
        vector = partition.vector(slot)
        partition.remove(slot)
        self._places[number] = _NOWHERE
        self._count -= 1
        if not len(partition):
            del self._partitions[self._numbers_of_keys.pop(key)]
        return vector

    def _find(self, number: int) -> tuple[_PartitionKey, VectorPartition, int]:
        if not self._holds(number):
            raise ConfigurationError("number", number, "one that is held")
        place = self._places[number]
        return *self._partitions[place >> _SLOT_BITS], place % (1 << _SLOT_BITS)

    def _partition(self, key: _PartitionKey, dimension: int) -> tuple[int, VectorPartition]:
        """The partition of that key, made when there is none yet, behind its number."""
        if key not in self._numbers_of_keys:
            self._made += 1
            self._numbers_of_keys[key] = self._made
            self._partitions[self._made] = key, VectorPartition(dimension, self._limit)
        place = self._numbers_of_keys[key]
        return place, self._partitions[place][1]

    def _holds(self, number: int) -> bool:
        return 0 <= number < len(self._places) and self._places[number] != _NOWHERE

    def _check_new(self, numbers: Sequence[int]) -> None:
        if len(set(numbers)) != len(numbers):
            raise ConfigurationError("numbers", f"{len(numbers) - len(set(numbers))} twice", "each once")
        for number in numbers:
            if self._holds(number) or not 0 <= number <= MAXIMUM_NUMBER:
                raise ConfigurationError("number", number, f"0..{MAXIMUM_NUMBER} and not held yet")

    def _check_dimension(self, key: _PartitionKey, dimension: int) -> None:
        if key in self._numbers_of_keys:
            held = self._partitions[self._numbers_of_keys[key]][1].dimension
            if dimension != held:
                raise ConfigurationError("embedding", f"{dimension} numbers", f"{held} numbers, as the others have")


def _partition_key(model_digest: bytes, instruction: str, outcome: ContextOutcome) -> _PartitionKey:
    if len(model_digest) != KEY_BYTES:
        raise ConfigurationError("model digest", f"{len(model_digest)} bytes", f"{KEY_BYTES} bytes")
    return _PartitionKey(model_digest, instruction, outcome)


def _kept_rows(embeddings: Array) -> HalfArray:
    """A copy of the rows in the precision they are kept in; raises ConfigurationError as `_checked_rows` does."""
    rows = _checked_rows(embeddings)
    return half_rows(embeddings if embeddings.dtype == np.float16 else rows)


def _checked_rows(embeddings: Array) -> Float32Array:
    """A copy of the rows as float32; raises ConfigurationError where they are not of length 1, to a thousandth."""
    if embeddings.ndim != 2 or not 1 <= embeddings.shape[1] <= MAXIMUM_EMBEDDING or embeddings.dtype.kind != "f":
        found = f"{embeddings.dtype} {embeddings.shape[1:]}"
        raise ConfigurationError("embedding", found, f"one row of 1..{MAXIMUM_EMBEDDING} floats")
    rows = embeddings.astype(np.float32)
    lengths = np.sqrt((rows * rows).sum(axis=1))
    wrong = ~(np.abs(lengths - 1.0) <= 1e-3)
    if wrong.any():
        raise ConfigurationError("embedding", float(lengths[wrong][0]), "numbers that form a vector of length 1")
    return rows
