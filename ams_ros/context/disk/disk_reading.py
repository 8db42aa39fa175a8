"""Reading segments from their packs, each checked against its digest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ams_ros.context.disk.disk_rows import digest
from ams_ros.context.disk.disk_segments import SegmentPlace
from ams_ros.context.disk.packs import PackFolder


def read_segments(packs: PackFolder, places: Sequence[SegmentPlace]) -> tuple[NDArray[np.uint8], set[bytes]]:
    """The bytes of the segments one after the other, and the digests of those that are damaged.

    With any damaged the bytes are worthless. Nothing is allocated for a segment that does not lie within its pack;
    neighbours are read at once, and one by one where that fails. Raises FileNotFoundError when a pack is gone,
    PoolError when the system refuses.
    """
    lost = {place.digest for name, group in _by_pack(places) for place in _beyond(packs, name, group)}
    places = [place for place in places if place.digest not in lost]
    content = np.empty(sum(place.nbytes for place in places), np.uint8)
    start = 0
    for name, group in _by_pack(places):
        with packs.opened(name) as (file, _):
            for run in _runs(group):
                size = sum(place.nbytes for place in run)
                whole = fill(file, content.data[start : start + size], run[0].position)
                for place in run:
                    part = content[start : start + place.nbytes]
                    if not (whole or fill(file, part.data, place.position)) or digest(part) != place.digest:
                        lost.add(place.digest)
                    start += place.nbytes
    return content, lost


def _by_pack(places: Sequence[SegmentPlace]) -> Iterator[tuple[str, list[SegmentPlace]]]:
    for name, group in groupby(places, lambda place: place.pack):
        yield name, list(group)


def _beyond(packs: PackFolder, name: str, group: list[SegmentPlace]) -> list[SegmentPlace]:
    """The segments that do not lie within their pack."""
    with packs.opened(name) as (_, size):
        return [
            place for place in group if place.position < 0 or place.nbytes < 1 or place.position + place.nbytes > size
        ]


def _runs(group: list[SegmentPlace]) -> list[list[SegmentPlace]]:
    """Segments of one pack, cut where they do not follow on each other."""
    runs: list[list[SegmentPlace]] = []
    for place in group:
        if runs and runs[-1][-1].position + runs[-1][-1].nbytes == place.position:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def fill(file: int, target: memoryview, position: int) -> bool:
    """Fill `target` from a pack; False when it ends before, or when the disk cannot read that sector any more."""
    done = 0
    while done < len(target):
        try:
            count = os.preadv(file, [target[done:]], position + done)
        except OSError:
            return False
        if count == 0:
            return False
        done += count
    return True
