"""Bringing a store back to what holds together when it is opened after a crash."""

from __future__ import annotations

from pathlib import Path

from ams_ros.context.disk.disk_catalog import DiskCatalog
from ams_ros.context.disk.disk_index import DamagedIndexError, DiskIndex, set_aside
from ams_ros.context.disk.packs import PackFolder, is_ours
from ams_ros.errors import PoolError


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


def _drop_listing(catalog: DiskCatalog, lost: set[bytes]) -> list[str]:
    """Drop the vectors that list lost segments; a line for each."""
    listing = [number for number, listed in catalog.segments.lists() if not lost.isdisjoint(listed)]
    catalog.segments.lose(lost)
    catalog.drop_vectors(listing)
    return [f"vector {number} lay in a pack that is damaged" for number in listing]
