"""How many bytes a save can come to need on disk, known before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from ams_ros.context.disk.disk_index import PAGE_BYTES
from ams_ros.context.disk.disk_records import DiskVector
from ams_ros.context.disk.packs import pack_bytes
from ams_ros.context.records import ContextRecord

HEADROOM_BYTES = 64 * PAGE_BYTES
"""What a save leaves free, so that a full store can still remove and mark contexts, which also writes to the log."""

MAXIMUM_REMOVED = 1024
"""Contexts that are removed in one transaction: others that want the store wait no longer than that takes."""

Save = tuple[ContextRecord, Sequence[DiskVector], bool | None]
"""A context to be saved: its record, its vectors, its pin (None keeps what is set)."""

_CONTEXT_BYTES, _VECTOR_BYTES, _SEGMENT_BYTES = 1024, 768, 160
_LOGGED_PAGE_BYTES = PAGE_BYTES + 24
_FILL = 2
"""A page of a tree is half full at worst."""


def bytes_needed(items: Sequence[Save], references: int, sizes: Mapping[bytes, int], index_bytes: int) -> int:
    """An upper bound of what saving adds: the pack, the pages new rows take, and the log.

    references: distinct segments the vectors list. sizes: of those that are new. index_bytes: of the database now.
    The log receives each page a transaction touches once: those that exist already, at most a few for each row, and
    the new ones; the new ones then go to the database as well before the log is emptied.
    """
    vectors = sum(len(each) for _, each, _ in items)
    rows = _VECTOR_BYTES * vectors + _SEGMENT_BYTES * references
    for record, _, _ in items:
        rows += _CONTEXT_BYTES + record.embedding.nbytes + 2 * record.joints.nbytes + len(record.instruction.encode())
    new_pages = 16 + _FILL * rows // PAGE_BYTES
    touched = min(20 + _pages_touched(len(items), vectors, references), index_bytes // PAGE_BYTES)
    return (touched + 2 * new_pages) * _LOGGED_PAGE_BYTES + (pack_bytes(sizes) if sizes else 0)


def removable_at_once(extents: Mapping[int, tuple[int, int]], free: int, index_bytes: int) -> int:
    """How many contexts, the first ones, can be removed in one transaction whose log fits into `free` bytes; 1 or more.

    extents: vectors and segments of each, as DiskCatalog.extent. index_bytes: of the database now.
    """
    room = max(free, HEADROOM_BYTES) // _LOGGED_PAGE_BYTES - 20
    if index_bytes // PAGE_BYTES <= room:
        return MAXIMUM_REMOVED
    count = 0
    for vectors, references in islice(extents.values(), MAXIMUM_REMOVED):
        room -= _pages_touched(1, vectors, references)
        if room < 0:
            break
        count += 1
    return max(count, 1)


def _pages_touched(contexts: int, vectors: int, references: int) -> int:
    """Pages of the database that writing or deleting so many rows changes, at most."""
    return 12 * contexts + 6 * vectors + 2 * references
