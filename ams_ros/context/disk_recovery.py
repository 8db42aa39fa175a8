"""Bringing a store back to what holds together: after a crash when it is opened, and when it is verified."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ams_ros.context.disk_catalog import DiskCatalog
from ams_ros.context.disk_errors import DamagedVectorError
from ams_ros.context.disk_index import DamagedIndexError, DiskIndex, set_aside
from ams_ros.context.disk_reading import read_segments
from ams_ros.context.disk_records import DiskReport
from ams_ros.context.disk_segments import SegmentPlace
from ams_ros.context.packs import PackFolder, is_ours
from ams_ros.errors import PoolError

PART_BYTES = 4 * 2**20
"""How much of a pack is read at once when a store is checked."""


def open_index(path: Path, read_only: bool, findings: list[str]) -> DiskIndex:
    """The database, checked as a whole; a damaged one is set aside, reported in `findings`, and a new one begun."""
    index = None
    try:
        index = DiskIndex(path, read_only)
        index.check()
        return index
    except PoolError as error:
        if index:
            index.close()
        if read_only or not isinstance(error, DamagedIndexError):
            raise
        findings.append(f"{error}; kept as {set_aside(path).name}, its contexts are lost")
    return DiskIndex(path, read_only)


def recover(index: DiskIndex, catalog: DiskCatalog, packs: PackFolder) -> list[str]:
    """Remove what lost or damaged files took with them; a line for each thing that was really lost.

    Rows without their file, or with a file cut short, lose the segments that are not there, and with them the
    vectors that list these.
    """
    sizes = packs.sizes()
    listed = {name: (number, nbytes) for number, name, nbytes in catalog.segments.packs()}
    short = {name: number for name, (number, nbytes) in listed.items() if sizes.get(name, 0) < nbytes}
    findings = [f"pack {name} is cut short or gone" for name in short]
    with index.transaction():
        findings += catalog.drop_damaged_models()
        if short:
            places = catalog.segments.of_packs(list(short.values()))
            lost = {place.digest for place in places if place.position + place.nbytes > sizes.get(place.pack, 0)}
            findings += _drop_listing(catalog, lost)
            catalog.segments.forget_packs(number for name, number in short.items() if name not in sizes)
            catalog.segments.resize_packs((sizes[name], number) for name, number in short.items() if name in sizes)
    return findings


def remove_orphans(catalog: DiskCatalog, packs: PackFolder) -> int:
    """Delete the files of saves that were never acknowledged; how many there were."""
    listed = {name for _, name, _ in catalog.segments.packs()}
    orphans = [name for name in packs.sizes() if is_ours(name) and name not in listed]
    for name in orphans:
        packs.remove(name)
    return len(orphans)


def check_store(index: DiskIndex, catalog: DiskCatalog, packs: PackFolder, mend: bool) -> DiskReport:
    """Read every byte that is listed and every row; with `mend`, remove what is damaged and set the counts right."""
    lost = _damaged_segments(catalog, packs)
    broken: dict[int, str] = {}
    for number in catalog.vector_numbers():
        try:
            vector, places = catalog.places(number)
        except DamagedVectorError as error:
            broken[number] = str(error)
            continue
        if any(place.digest in lost for place in places):
            broken[number] = f"vector {number} ({vector.kind.value} {vector.name}): its bytes on disk are damaged"
    contexts, damaged_contexts = _check_contexts(catalog, broken)
    broken |= {number: f"vector {number}: no context holds it" for number in catalog.unheld() if number not in broken}
    vectors = sum(number not in broken for number in catalog.vector_numbers())
    if mend:
        with index.transaction():
            catalog.segments.lose(lost)
            catalog.drop_vectors(broken)
            catalog.remove_contexts(damaged_contexts)
            catalog.drop_loose_ends()
            catalog.segments.recount()
    return DiskReport(contexts, vectors, (*damaged_contexts.values(), *broken.values()))


def _damaged_segments(catalog: DiskCatalog, packs: PackFolder) -> set[bytes]:
    """Digests of the segments whose bytes are not theirs, read pack by pack so that each byte is read once."""
    lost: set[bytes] = set()
    places = catalog.segments.of_packs([number for number, _, _ in catalog.segments.packs()])
    for _, group in groupby(places, lambda place: place.pack):
        for part in _parts(list(group)):
            try:
                lost |= read_segments(packs, part)[1]
            except FileNotFoundError:
                lost |= {place.digest for place in part}
    return lost


def _parts(places: list[SegmentPlace]) -> Iterator[list[SegmentPlace]]:
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


def _check_contexts(catalog: DiskCatalog, broken: dict[int, str]) -> tuple[int, dict[int, str]]:
    """How many contexts are whole, and the others by row with their defect; broken connections go to `broken`."""
    whole, damaged, last = 0, {}, 0
    while numbers := catalog.context_numbers(last):
        last = numbers[-1]
        for number in numbers:
            try:
                found = catalog.read_context(number)
            except DamagedIndexError:
                raise
            except PoolError as error:
                damaged[number] = str(error)
                continue
            if found is not None:
                whole += 1
                broken.update(catalog.held_vectors(number, found[1].context_id)[1])
    return whole, damaged


def _drop_listing(catalog: DiskCatalog, lost: set[bytes]) -> list[str]:
    """Drop the vectors that list lost segments; a line for each."""
    listing = [number for number, listed in catalog.segments.lists() if not lost.isdisjoint(listed)]
    catalog.segments.lose(lost)
    catalog.drop_vectors(listing)
    return [f"vector {number} lay in a pack that is damaged" for number in listing]
