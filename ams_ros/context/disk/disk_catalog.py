"""The rows of a store as contexts and vectors, and what must change together.

Every method that changes rows runs inside a transaction of the caller's. A context holds vectors, several may hold the
same one; a vector lists segments by digest, in order, repeats allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import Any, TypeVar

from ams_ros.context.disk.disk_errors import DamagedVectorError, VectorGoneError
from ams_ros.context.disk.disk_index import DiskIndex
from ams_ros.context.disk.disk_records import DiskVector, DiskVectorRow
from ams_ros.context.disk.disk_rows import (
    CONTEXT_COLUMNS,
    DIGEST_BYTES,
    VECTOR_COLUMNS,
    context_row,
    described,
    digest,
    record_of,
    seal_context,
    seal_holding,
    seal_vector,
    split_digests,
    vector_row,
)
from ams_ros.context.disk.disk_segments import SegmentPlace, SegmentTable
from ams_ros.context.records import ContextRecord, ModelKey
from ams_ros.errors import ConfigurationError, PoolError

_CONTEXT_MARKS = ", ".join("?" * (len(CONTEXT_COLUMNS.split(",")) + 1))
_BATCH = 256
_HELD = "EXISTS (SELECT 1 FROM holdings JOIN contexts ON contexts.number = context WHERE vector = vectors.number)"
_Value = TypeVar("_Value", int, str)

StoredContext = tuple[ContextRecord, bool, tuple[DiskVectorRow, ...]]


class DiskCatalog:
    """Contexts and vectors of one database, and its segments as a table of their own."""

    def __init__(self, index: DiskIndex) -> None:
        """Work on an open database."""
        self._index = index
        self.segments = SegmentTable(index)
        self._models: dict[int, tuple[ModelKey, bytes]] = {}

    def put_context(self, record: ContextRecord, pinned: bool | None) -> int:
        """Insert a context or change it in place; the number of its row. pinned None keeps what is set."""
        found = self._index.row("SELECT number, pinned FROM contexts WHERE context_id = ?", record.context_id)
        kept = bool(found[1]) if found and pinned is None else bool(pinned)
        row = context_row(record, kept, self._model_number(record.model))
        values = (*row, seal_context(row, record.model.digest))
        if found is None:
            statement = f"INSERT INTO contexts ({CONTEXT_COLUMNS}, checksum) VALUES ({_CONTEXT_MARKS})"
            return self._index.change(statement, *values)
        statement = f"UPDATE contexts SET ({CONTEXT_COLUMNS}, checksum) = ({_CONTEXT_MARKS}) WHERE number = ?"
        self._index.change(statement, *values, found[0])
        return int(found[0])

    def add_vector(self, vector: DiskVector, segments: bytes) -> int:
        """Insert a vector that lists those digests; its number. Its references are counted by SegmentTable.add."""
        row = vector_row(vector, segments)
        marks = ", ".join("?" * (len(row) + 2))
        statement = f"INSERT INTO vectors ({VECTOR_COLUMNS}, checksum, segments) VALUES ({marks})"
        number = self._index.change(statement, *row, b"", segments)
        self._index.change("UPDATE vectors SET checksum = ? WHERE number = ?", seal_vector(number, row), number)
        return number

    def hold(self, context: int, context_id: str, number: int, seal_of_vector: bytes) -> None:
        """Let a context hold a vector."""
        self._index.change(
            "INSERT OR REPLACE INTO holdings (context, vector, checksum) VALUES (?, ?, ?)",
            context,
            number,
            seal_holding(context_id, number, seal_of_vector),
        )

    def vector_seal(self, number: int) -> bytes:
        """Checksum of a vector's row; raises VectorGoneError."""
        found = self._index.row("SELECT checksum FROM vectors WHERE number = ?", number)
        if found is None:
            raise VectorGoneError(number)
        return bytes(found[0])

    def vectors_of(self, context: int) -> list[tuple[int, str, str]]:
        """Number, kind and name of the vectors a context holds."""
        return self._index.rows(
            "SELECT number, kind, name FROM holdings JOIN vectors ON vector = number WHERE context = ?", context
        )

    def places(self, number: int) -> tuple[DiskVectorRow, list[SegmentPlace]]:
        """A vector and where each of its segments lies.

        Raises VectorGoneError, and DamagedVectorError when the rows do not fit together.
        """
        found = self._index.row(f"SELECT {VECTOR_COLUMNS}, checksum, segments FROM vectors WHERE number = ?", number)
        if found is None:
            raise VectorGoneError(number)
        *row, checksum, segments = found
        return self._whole(number, row, checksum, segments, self.segments.places(split_digests(segments)))

    def defects(self, lost: Set[bytes], after: int = 0, also: Iterable[int] = ()) -> Iterator[dict[int, str]]:
        """In batches, every vector with a number above `after` and those of `also`, with what is wrong with it or "".

        lost: segments that count as damaged.
        """
        columns = f"number, {VECTOR_COLUMNS}, checksum, segments, {_HELD} FROM vectors"
        for some, marks in _batches(also):
            if found := self._index.rows(f"SELECT {columns} WHERE number IN ({marks})", *some):
                yield self._defects_of(found, lost)
        query = f"SELECT {columns} WHERE number > ? ORDER BY number LIMIT ?"
        while found := self._index.rows(query, after, _BATCH):
            yield self._defects_of(found, lost)
            after = found[-1][0]

    def drop_vectors(self, numbers: Iterable[int]) -> None:
        """Delete vectors, whoever holds them, and the segments nobody lists any more."""
        for some, marks in _batches(numbers):
            self._index.change(f"DELETE FROM holdings WHERE vector IN ({marks})", *some)
            self._delete_unheld(some, marks)

    def let_go(self, context: int, numbers: Iterable[int]) -> None:
        """Take vectors from a context; those no other one holds are deleted."""
        for some, marks in _batches(numbers):
            self._index.change(f"DELETE FROM holdings WHERE context = ? AND vector IN ({marks})", context, *some)
            self._delete_unheld(some, marks)

    def remove_contexts(self, contexts: Iterable[int]) -> None:
        """Delete contexts by the numbers of their rows, with the vectors no other one holds."""
        for some, marks in _batches(contexts):
            held = self._index.rows(f"SELECT DISTINCT vector FROM holdings WHERE context IN ({marks})", *some)
            self._index.change(f"DELETE FROM holdings WHERE context IN ({marks})", *some)
            self._index.change(f"DELETE FROM contexts WHERE number IN ({marks})", *some)
            for vectors, vector_marks in _batches(number for (number,) in held):
                self._delete_unheld(vectors, vector_marks)

    def context_rows(self, context_ids: Iterable[str]) -> list[int]:
        """The numbers of the rows of those contexts that are there."""
        return [
            number
            for some, marks in _batches(context_ids)
            for (number,) in self._index.rows(f"SELECT number FROM contexts WHERE context_id IN ({marks})", *some)
        ]

    def extent(self, contexts: Iterable[int]) -> dict[int, tuple[int, int]]:
        """How many vectors each context holds, by the number of its row, and how many segments these list."""
        return {
            context: (vectors, int(listed) // DIGEST_BYTES)
            for some, marks in _batches(contexts)
            for context, vectors, listed in self._index.rows(
                "SELECT context, count(*), TOTAL(length(segments)) FROM holdings JOIN vectors ON vector = number"
                f" WHERE context IN ({marks}) GROUP BY context",
                *some,
            )
        }

    def read_context(self, context: int) -> tuple[tuple[Any, ...], ContextRecord, bool] | None:
        """Row, record and pin of a context, checked; None when it is not there. Raises PoolError when damaged."""
        found = self._index.row(f"SELECT {CONTEXT_COLUMNS}, checksum FROM contexts WHERE number = ?", context)
        if found is None:
            return None
        *fields, checksum = found
        row = tuple(fields)
        return row, *self.checked_context(row, checksum)

    def checked_context(self, row: tuple[Any, ...], checksum: bytes) -> tuple[ContextRecord, bool]:
        """Record and pin of CONTEXT_COLUMNS; raises PoolError when they are not those that were written."""
        model, model_digest = self._model(row[-1])
        if seal_context(row, model_digest) != checksum:
            raise PoolError(f"context {str(row[0])[:80]!r}: its row is damaged")
        return record_of(row, model)

    def rewrite_context(self, context: int, row: tuple[Any, ...], record: ContextRecord) -> None:
        """Store changed CONTEXT_COLUMNS of a context that was read before."""
        statement = f"UPDATE contexts SET ({CONTEXT_COLUMNS}, checksum) = ({_CONTEXT_MARKS}) WHERE number = ?"
        self._index.change(statement, *row, seal_context(row, record.model.digest), context)

    def has_loose_ends(self) -> bool:
        """Whether rows connect contexts or vectors that are not there."""
        statement = (
            "SELECT 1 FROM holdings WHERE context NOT IN (SELECT number FROM contexts)"
            " OR vector NOT IN (SELECT number FROM vectors) LIMIT 1"
        )
        return self._index.row(statement) is not None

    def drop_loose_ends(self) -> None:
        """Delete connections of contexts and vectors that are not there."""
        self._index.change("DELETE FROM holdings WHERE context NOT IN (SELECT number FROM contexts)")
        self._index.change("DELETE FROM holdings WHERE vector NOT IN (SELECT number FROM vectors)")

    def drop_damaged_models(self) -> list[str]:
        """Delete models whose rows are damaged, so that the next context of such a model writes it anew."""
        lines = []
        for (number,) in self._index.rows("SELECT number FROM models"):
            try:
                self._model(number)
            except PoolError as error:
                lines.append(str(error))
                self._index.change("DELETE FROM models WHERE number = ?", number)
        return lines

    def _delete_unheld(self, numbers: Sequence[int], marks: str) -> None:
        """Delete those of the vectors that no context holds, and the segments nobody lists any more."""
        unheld = self._index.rows(
            f"SELECT number, segments FROM vectors WHERE number IN ({marks})"
            " AND NOT EXISTS (SELECT 1 FROM holdings WHERE vector = number)",
            *numbers,
        )
        self._index.change_many("DELETE FROM vectors WHERE number = ?", [(number,) for number, _ in unheld])
        self.segments.release(Counter(each for _, segments in unheld for each in split_digests(segments)))

    def _defects_of(self, found: Sequence[tuple[Any, ...]], lost: Set[bytes]) -> dict[int, str]:
        """The defects of vectors by number. found: number, VECTOR_COLUMNS, checksum, segments, whether it is held."""
        places = self.segments.places(each for row in found for each in split_digests(row[-2]))
        left = {name: place for name, place in places.items() if name not in lost}
        defects: dict[int, str] = {}
        for number, *row, checksum, segments, held in found:
            try:
                self._whole(number, row, checksum, segments, left)
                defects[number] = "" if held else f"vector {number}: no context holds it"
            except DamagedVectorError as error:
                defects[number] = str(error)
        return defects

    def _whole(
        self, number: int, row: Sequence[Any], checksum: bytes, segments: bytes, places: Mapping[bytes, SegmentPlace]
    ) -> tuple[DiskVectorRow, list[SegmentPlace]]:
        """A vector and its segments, of those there are; raises DamagedVectorError when anything does not fit."""
        if seal_vector(number, row) != checksum:
            raise DamagedVectorError(f"vector {number}: its row is damaged")
        try:
            vector = described(number, row)
        except PoolError as error:
            raise DamagedVectorError(str(error)) from error
        if digest(segments) != row[-1]:
            raise DamagedVectorError(f"vector {number}: its list of segments is damaged")
        listed = split_digests(segments)
        whole = [places[name] for name in listed if name in places]
        if len(whole) != len(listed) or sum(place.nbytes for place in whole) != vector.nbytes:
            missing = len(listed) - len(whole)
            named = f"vector {number} ({vector.kind.value} {vector.name})"
            raise DamagedVectorError(f"{named}: {missing} of its segments on disk are damaged")
        return vector, whole

    def _model_number(self, model: ModelKey) -> int:
        found = self._index.row("SELECT number FROM models WHERE digest = ?", model.digest)
        if found:
            return int(found[0])
        return self._index.change("INSERT INTO models (digest, content) VALUES (?, ?)", model.digest, model.to_json())

    def _model(self, number: int) -> tuple[ModelKey, bytes]:
        if number not in self._models:
            found = self._index.row("SELECT digest, content FROM models WHERE number = ?", number)
            if found is None:
                raise PoolError(f"model {number} is not in the store")
            try:
                model = ModelKey.from_json(found[1])
            except ConfigurationError as error:
                raise PoolError(f"model {number}: {error}") from error
            if model.digest != found[0]:
                raise PoolError(f"model {number}: its row is damaged")
            self._models[number] = (model, bytes(found[0]))
        return self._models[number]


def _batches(values: Iterable[_Value]) -> Iterator[tuple[list[_Value], str]]:
    """The values in lists short enough for one statement, and the marks that stand for them in it."""
    rest = iter(values)
    while some := list(islice(rest, _BATCH)):
        yield some, ", ".join("?" * len(some))
