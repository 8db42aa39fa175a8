"""Columns of numbers that grow with the pool, each in pages of its own.

Arrays that grow side by side in the heap of the C library leave holes that it does not give back: 0.4 KB for a context
of eight vectors, measured. Pages of one's own leave none, and those that were never written to take no memory, so that
a column can double when it is full.
"""

from __future__ import annotations

import mmap
from typing import Any, TypeAlias, TypeVar

Column: TypeAlias = "memoryview[int]"
"""Whole numbers by place; whoever enlarges one puts the new one in its place."""

RealColumn: TypeAlias = "memoryview[float]"

_Either = TypeVar("_Either", "memoryview[int]", "memoryview[float]")


def column(code: str) -> Column:
    """A short column of whole numbers of that code of `struct`, all of them 0."""
    empty: Column = _view(code, mmap.PAGESIZE)
    return empty


def real_column(code: str) -> RealColumn:
    """As `column`, for numbers with a fraction."""
    empty: RealColumn = _view(code, mmap.PAGESIZE)
    return empty


def enlarged(column: _Either, count: int) -> _Either:
    """A column of the same numbers with at least that many places; the same one where it has them.

    It only ever doubles, however many places are asked for: of columns that began short and are enlarged together the
    widest are then full first, and who looks at one of those knows that the others have room too.
    """
    if count <= len(column):
        return column
    places = len(column)
    while places < count:
        places *= 2
    larger: _Either = _view(column.format, column.itemsize * places)
    larger[: len(column)] = column
    return larger


def row_of_bytes(nbytes: int) -> mmap.mmap:
    """That many bytes of 0."""
    return mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _view(code: str, nbytes: int) -> Any:
    return memoryview(row_of_bytes(nbytes)).cast(code)  # type: ignore[call-overload]
