"""Reading the contexts of a store in bulk, every row checked against its seal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ams_ros.context.disk.disk_catalog import DiskCatalog, StoredContext
from ams_ros.context.disk.disk_index import DamagedIndexError, DiskIndex
from ams_ros.context.disk.disk_records import DiskVectorRow
from ams_ros.context.disk.disk_rows import CONTEXT_COLUMNS, VECTOR_COLUMNS, described, seal_holding, seal_vector
from ams_ros.errors import PoolError

BATCH = 256
"""Contexts that are read at once: a few milliseconds in which nobody else gets at the store."""

_HELD_COLUMNS = ", ".join(f"vectors.{column.strip()}" for column in VECTOR_COLUMNS.split(","))


@dataclass(frozen=True, slots=True)
class ListedContext:
    """A context as it stands in the store.

    number: of its row. stored: None when its row is damaged, and `defect` says how. broken: number and defect of the
    vectors it holds that are not those that were written.
    """

    number: int
    stored: StoredContext | None
    defect: str
    broken: tuple[tuple[int, str], ...]

    @property
    def whole(self) -> bool:
        """Whether nothing of it is damaged."""
        return not self.defect and not self.broken


def list_contexts(index: DiskIndex, catalog: DiskCatalog, after: int, count: int = BATCH) -> list[ListedContext]:
    """The next contexts behind the row of that number, oldest first; an empty list at the end."""
    rows = index.rows(
        f"SELECT number, checksum, {CONTEXT_COLUMNS} FROM contexts WHERE number > ? ORDER BY number LIMIT ?",
        after,
        count,
    )
    if not rows:
        return []
    held = index.rows(
        f"SELECT context, number, holdings.checksum, vectors.checksum, {_HELD_COLUMNS} FROM holdings JOIN vectors"
        " ON vector = number WHERE context BETWEEN ? AND ? ORDER BY context, number",
        rows[0][0],
        rows[-1][0],
    )
    holdings = {context: list(group) for context, group in groupby(held, lambda row: row[0])}
    known: dict[int, DiskVectorRow] = {}
    return [_listed(catalog, row, holdings.get(row[0], ()), known) for row in rows]


def _listed(
    catalog: DiskCatalog, row: tuple[Any, ...], held: Sequence[tuple[Any, ...]], known: dict[int, DiskVectorRow]
) -> ListedContext:
    """One context. known: vectors of the same query that were found whole, by number; contexts share them."""
    number, checksum, *fields = row
    try:
        record, pinned = catalog.checked_context(tuple(fields), checksum)
    except DamagedIndexError:
        raise
    except PoolError as error:
        return ListedContext(number, None, str(error), ())
    context_id = record.context_id
    whole: list[DiskVectorRow] = []
    broken: list[tuple[int, str]] = []
    for _, vector, connected, sealed, *columns in held:
        if seal_holding(context_id, vector, sealed) != connected:
            broken.append((vector, f"vector {vector} of context {context_id}: the row that connects them is damaged"))
            continue
        found = known.get(vector)
        if found is None:
            if seal_vector(vector, columns) != sealed:
                broken.append((vector, f"vector {vector}: its row is damaged"))
                continue
            try:
                found = known[vector] = described(vector, columns)
            except PoolError as error:
                broken.append((vector, str(error)))
                continue
        whole.append(found)
    return ListedContext(number, (record, pinned, tuple(whole)), "", tuple(broken))
