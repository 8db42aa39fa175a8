"""Getting back the bytes that nothing needs any more."""

from __future__ import annotations

from collections.abc import Sequence

from ams_ros.context.disk.disk_index import PAGE_BYTES, DiskIndex
from ams_ros.context.disk.disk_reading import read_segments
from ams_ros.context.disk.disk_segments import SegmentPlace, SegmentTable
from ams_ros.context.disk.packs import PackFolder, pack_bytes
from ams_ros.errors import PoolError

SPARSE = 0.5
"""A pack is rewritten when less than this share of its bytes is live: each byte written frees at least one."""

BATCH_BYTES = 32 * 2**20
"""Live bytes that are held in memory and written into one new pack at a time."""


def collect(index: DiskIndex, segments: SegmentTable, packs: PackFolder, free: int) -> int:
    """Delete packs without live segments, rewrite sparse ones as far as `free` bytes allow, shrink the database.

    Returns how many segments were found damaged on the way. A crash at any moment leaves files nothing points at, at
    worst: rows change in one transaction after the new pack is durable and before the old ones go.
    """
    index.write_back()
    live = segments.live_bytes()
    listed = segments.packs()
    dead = [(number, name) for number, name, _ in listed if number not in live]
    with index.transaction():
        segments.forget_packs(number for number, _ in dead)
    for _, name in dead:
        packs.remove(name)
    free += sum(nbytes for number, _, nbytes in listed if number not in live)
    sparse = [(number, name, nbytes) for number, name, nbytes in listed if 0 < live.get(number, 0) < SPARSE * nbytes]
    lost = 0
    while sparse:
        batch: list[tuple[int, str, int]] = []
        size = 0
        while sparse and (not batch or size + live[sparse[-1][0]] <= BATCH_BYTES):
            batch.append(sparse.pop())
            size += live[batch[-1][0]]
        places = segments.of_packs([number for number, _, _ in batch])
        needed = _bytes_for(places)
        if needed > free:
            continue
        lost += _rewrite(index, segments, packs, [(number, name) for number, name, _ in batch], places)
        free += sum(nbytes for _, _, nbytes in batch) - needed
    index.compact()
    return lost


def renew(index: DiskIndex, segments: SegmentTable, packs: PackFolder, name: str, free: int) -> None:
    """Write the live segments of a pack into a new one and delete it.

    Raises PoolError, with nothing changed, when that takes more than `free` bytes or the disk refuses.
    """
    places = segments.of_pack(name)
    numbers = [number for number, listed, _ in segments.packs() if listed == name]
    if places and (needed := _bytes_for(places)) > free:
        raise PoolError(f"that takes {needed} bytes, {max(free, 0)} of the disk budget are free")
    _rewrite(index, segments, packs, [(number, name) for number in numbers], places)


def _bytes_for(places: Sequence[SegmentPlace]) -> int:
    """What a new pack with those segments takes, with the pages of the database that say so."""
    return pack_bytes({place.digest: place.nbytes for place in places}) + (32 + 2 * len(places)) * PAGE_BYTES


def _rewrite(
    index: DiskIndex,
    segments: SegmentTable,
    packs: PackFolder,
    old: Sequence[tuple[int, str]],
    places: Sequence[SegmentPlace],
) -> int:
    """Move the live segments of some packs into a new one; how many of them were damaged and are lost."""
    content, lost = read_segments(packs, places)
    if lost:
        places = [place for place in places if place.digest not in lost]
        content, _ = read_segments(packs, places)
    parts, start = {}, 0
    for place in places:
        parts[place.digest] = content.data[start : start + place.nbytes]
        start += place.nbytes
    pack = packs.write(parts) if parts else None
    with index.transaction():
        segments.lose(lost)
        if pack:
            segments.move(parts, pack)
        segments.forget_packs(number for number, _ in old)
    for _, name in old:
        packs.remove(name)
    return len(lost)
