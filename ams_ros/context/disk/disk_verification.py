"""Checking a whole store while others use it: look at it without its lock, then with it at what seemed bad.

The first look reads every byte and every row through a connection of its own. Others change the store meanwhile, so
what it suspects may be nothing. Only what the second look finds is believed, and that one reads suspects only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ams_ros.context.disk.disk_catalog import DiskCatalog
from ams_ros.context.disk.disk_collection import renew
from ams_ros.context.disk.disk_index import DamagedIndexError, DiskIndex
from ams_ros.context.disk.disk_listing import ListedContext, list_contexts
from ams_ros.context.disk.disk_reading import read_segments
from ams_ros.context.disk.disk_records import DiskReport
from ams_ros.context.disk.disk_segments import SegmentPlace
from ams_ros.context.disk.packs import PackFolder
from ams_ros.errors import PoolError

PART_BYTES = 4 * 2**20
"""How much of a pack is read at once."""


@dataclass(slots=True)
class Suspects:
    """What a look at the whole store was not content with.

    contexts, vectors: how many there are. last_vector: the greatest number among them. lost: segments. packs: those
    with an odd header. bad_contexts, bad_vectors: by number. loose: rows connect what is not there. miscounted: a
    segment's count is not how often it is listed.
    """

    contexts: int = 0
    vectors: int = 0
    last_vector: int = 0
    lost: set[bytes] = field(default_factory=set)
    packs: set[str] = field(default_factory=set)
    bad_contexts: set[int] = field(default_factory=set)
    bad_vectors: set[int] = field(default_factory=set)
    loose: bool = False
    miscounted: bool = False

    @property
    def none(self) -> bool:
        """Whether everything is as it should be."""
        found = (self.lost, self.packs, self.bad_contexts, self.bad_vectors, self.loose, self.miscounted)
        return not any(found)


def survey(index: DiskIndex, packs: PackFolder) -> Suspects:
    """Look at everything. index: a connection of the caller's own, for reading.

    Raises DamagedIndexError, PoolError.
    """
    index.check()
    catalog, suspects = DiskCatalog(index), Suspects()
    for places in catalog.segments.by_pack():
        for name, group in groupby(places, lambda place: place.pack):
            lost, header = _look_at_pack(packs, name, list(group))
            suspects.lost |= lost
            if header:
                suspects.packs.add(name)
    for context in _contexts(index, catalog):
        suspects.contexts += 1
        if not context.whole:
            suspects.bad_contexts.add(context.number)
    for defects in catalog.defects(suspects.lost):
        suspects.vectors += len(defects)
        suspects.last_vector = max(defects)
        suspects.bad_vectors |= {number for number, defect in defects.items() if defect}
    with index.reading():
        suspects.loose = catalog.has_loose_ends()
        suspects.miscounted = bool(catalog.segments.miscounted())
    return suspects


def settle(
    index: DiskIndex, catalog: DiskCatalog, packs: PackFolder, suspects: Suspects, free: Callable[[], int] | None
) -> DiskReport:
    """Look at the suspects again while nobody changes anything, and remove or mend what is damaged.

    free: how many bytes may be written at the moment; None to change nothing.
    """
    lost = _still_lost(catalog, packs, suspects.lost)
    damaged: dict[int, str] = {}
    broken: dict[int, str] = {}
    for number in sorted(suspects.bad_contexts):
        for context in list_contexts(index, catalog, number - 1, 1):
            if context.number == number:
                damaged.update({number: context.defect} if context.defect else {})
                broken.update(context.broken)
    # What was saved since then may list a segment that is lost as well.
    for defects in catalog.defects(lost, suspects.last_vector, suspects.bad_vectors):
        broken |= {number: defect for number, defect in defects.items() if defect and number not in broken}
    headers = [name for name in sorted(suspects.packs) if _look_at_pack(packs, name, catalog.segments.of_pack(name))[1]]
    lines = [*damaged.values(), *broken.values(), *(f"pack {name}: its header is damaged" for name in headers)]
    if free is not None:
        with index.transaction():
            catalog.segments.lose(lost)
            catalog.drop_vectors(broken)
            catalog.remove_contexts(damaged)
            if suspects.loose:
                catalog.drop_loose_ends()
            if suspects.miscounted:
                catalog.segments.recount()
        for name in headers:
            try:
                renew(index, catalog.segments, packs, name, free())
            except DamagedIndexError:
                raise
            except PoolError as error:
                lines.append(f"pack {name}: it cannot be written anew: {error}")
    contexts = max(0, suspects.contexts - len(damaged))
    return DiskReport(contexts, max(0, suspects.vectors - len(broken)), tuple(lines))


def _contexts(index: DiskIndex, catalog: DiskCatalog) -> Iterator[ListedContext]:
    last = 0
    while found := list_contexts(index, catalog, last):
        yield from found
        last = found[-1].number


def _look_at_pack(packs: PackFolder, name: str, places: Sequence[SegmentPlace]) -> tuple[set[bytes], bool]:
    """The segments of a pack whose bytes are not theirs, and whether its header does not say where the others lie."""
    lost: set[bytes] = set()
    try:
        for part in _parts(places):
            lost |= read_segments(packs, part)[1]
        whole = {place.digest: (place.position, place.nbytes) for place in places if place.digest not in lost}
        return lost, bool(whole) and not packs.describes(name, whole)
    except FileNotFoundError:
        return {place.digest for place in places}, False


def _still_lost(catalog: DiskCatalog, packs: PackFolder, suspected: Iterable[bytes]) -> set[bytes]:
    """Those of the segments whose bytes are really not theirs, wherever they lie by now."""
    places = sorted(catalog.segments.places(suspected).values(), key=lambda place: (place.pack, place.position))
    lost: set[bytes] = set()
    for name, group in groupby(places, lambda place: place.pack):
        lost |= _look_at_pack(packs, name, list(group))[0]
    return lost


def _parts(places: Sequence[SegmentPlace]) -> Iterator[list[SegmentPlace]]:
    """The places in groups of at most PART_BYTES, a larger one alone."""
    part: list[SegmentPlace] = []
    size = 0
    for place in places:
        if part and size + place.nbytes > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(place)
        size += place.nbytes
    if part:
        yield part
