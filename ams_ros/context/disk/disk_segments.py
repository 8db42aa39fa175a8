"""Where each segment of a store lies and how often vectors list it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ams_ros.context.disk.disk_index import DiskIndex
from ams_ros.context.disk.disk_rows import split_digests
from ams_ros.context.disk.packs import Pack

LOST = 0
"""In place of a pack's number: the segment is listed, but its bytes are damaged; saving them again brings it back."""

_BATCH = 512
_SCANNED = 16_384
"""Rows of segments that are looked at together, where all of them are."""


@dataclass(frozen=True, slots=True)
class SegmentPlace:
    """A segment: its digest, the name of the pack, the first byte in it, how many bytes."""

    digest: bytes
    pack: str
    position: int
    nbytes: int


class SegmentTable:
    """Segments and packs of one database. Methods that change rows run inside a transaction of the caller's."""

    def __init__(self, index: DiskIndex) -> None:
        """Work on an open database."""
        self._index = index

    def known(self, digests: Iterable[bytes]) -> set[bytes]:
        """Those of the segments whose bytes are in a pack."""
        return set(self.places(digests))

    def places(self, digests: Iterable[bytes]) -> dict[bytes, SegmentPlace]:
        """Where segments lie; those that are unknown or lost, or whose row is impossible, are left out."""
        wanted = list(dict.fromkeys(digests))
        found: dict[bytes, SegmentPlace] = {}
        for start in range(0, len(wanted), _BATCH):
            some = wanted[start : start + _BATCH]
            for digest, pack, position, nbytes in self._index.rows(
                "SELECT digest, name, position, segments.nbytes FROM segments JOIN packs ON pack = packs.number"
                f" WHERE digest IN ({', '.join('?' * len(some))})",
                *some,
            ):
                if position >= 0 and nbytes >= 1:
                    found[digest] = SegmentPlace(digest, pack, position, nbytes)
        return found

    def add(self, references: Counter[bytes], sizes: Mapping[bytes, int], pack: Pack | None) -> None:
        """Count those references; segments of `pack` are new there, or lie there instead of where they were lost."""
        placed = pack.positions if pack else {}
        if pack:
            number = self._add_pack(pack)
            self._index.change_many(
                "INSERT INTO segments (digest, pack, position, nbytes, refs) VALUES (?, ?, ?, ?, ?) ON CONFLICT"
                " (digest) DO UPDATE SET pack = excluded.pack, position = excluded.position,"
                " nbytes = excluded.nbytes, refs = refs + excluded.refs",
                [(name, number, position, sizes[name], references[name]) for name, position in placed.items()],
            )
        known = [(count, name) for name, count in references.items() if name not in placed]
        self._index.change_many("UPDATE segments SET refs = refs + ? WHERE digest = ?", known)

    def release(self, references: Counter[bytes]) -> None:
        """Take references back; a segment nobody lists any more is forgotten, its bytes stay until `collect`."""
        counts = [(count, digest) for digest, count in references.items()]
        self._index.change_many("UPDATE segments SET refs = refs - ? WHERE digest = ?", counts)
        unused = [(digest,) for digest in references]
        self._index.change_many("DELETE FROM segments WHERE digest = ? AND refs <= 0", unused)

    def lose(self, digests: Iterable[bytes]) -> None:
        """Remember that the bytes of those segments are damaged."""
        lost = [(LOST, digest) for digest in digests]
        self._index.change_many("UPDATE segments SET pack = ? WHERE digest = ?", lost)

    def move(self, digests: Iterable[bytes], pack: Pack) -> None:
        """Those segments lie in a new pack from now on."""
        number = self._add_pack(pack)
        moved = [(number, pack.positions[digest], digest) for digest in digests]
        self._index.change_many("UPDATE segments SET pack = ?, position = ? WHERE digest = ?", moved)

    def packs(self) -> list[tuple[int, str, int]]:
        """Number, name and size of every pack, as written."""
        return self._index.rows("SELECT number, name, nbytes FROM packs")

    def has_pack(self, name: str) -> bool:
        """Whether there is a pack of that name."""
        return self._index.row("SELECT 1 FROM packs WHERE name = ?", name) is not None

    def live_bytes(self) -> dict[int, int]:
        """Bytes of the segments in each pack that has any."""
        # TOTAL, unlike SUM, does not fail on what damaged rows add up to.
        return {
            pack: int(size) for pack, size in self._index.rows("SELECT pack, TOTAL(nbytes) FROM segments GROUP BY 1")
        }

    def of_packs(self, numbers: Sequence[int]) -> list[SegmentPlace]:
        """The segments that lie in those packs, in the order of their bytes."""
        found: list[SegmentPlace] = []
        for start in range(0, len(numbers), _BATCH):
            some = numbers[start : start + _BATCH]
            found += (
                SegmentPlace(bytes(digest), *rest)
                for digest, *rest in self._index.rows(
                    "SELECT digest, name, position, segments.nbytes FROM segments JOIN packs ON pack = packs.number"
                    f" WHERE pack IN ({', '.join('?' * len(some))}) ORDER BY pack, position",
                    *some,
                )
            )
        return found

    def of_pack(self, name: str) -> list[SegmentPlace]:
        """The segments that lie in the pack of that name, in the order of their bytes."""
        return self.of_packs(
            [number for (number,) in self._index.rows("SELECT number FROM packs WHERE name = ?", name)]
        )

    def by_pack(self) -> Iterator[list[SegmentPlace]]:
        """All segments whose bytes are in a pack, those of whole packs at a time, in the order of their bytes."""
        batch: list[int] = []
        size = 0
        for number, count in self._index.rows("SELECT pack, count(*) FROM segments WHERE pack != ? GROUP BY 1", LOST):
            if batch and (size + count > _SCANNED or len(batch) == _BATCH):
                yield self.of_packs(batch)
                batch, size = [], 0
            batch.append(number)
            size += count
        if batch:
            yield self.of_packs(batch)

    def forget_packs(self, numbers: Iterable[int]) -> None:
        """Delete the rows of packs."""
        self._index.change_many("DELETE FROM packs WHERE number = ?", [(number,) for number in numbers])

    def resize_packs(self, sizes: Iterable[tuple[int, int]]) -> None:
        """Set the sizes of packs that were cut short: size and number of each."""
        self._index.change_many("UPDATE packs SET nbytes = ? WHERE number = ?", list(sizes))

    def lists(self) -> Iterator[tuple[int, list[bytes]]]:
        """Number of every vector and the segments it lists."""
        last = 0
        while found := self._index.rows(
            "SELECT number, segments FROM vectors WHERE number > ? ORDER BY number LIMIT ?", last, _BATCH
        ):
            yield from ((number, split_digests(segments)) for number, segments in found)
            last = found[-1][0]

    def miscounted(self) -> list[tuple[int, bytes]]:
        """The segments whose count is not the number of places that list them: the right one, the digest."""
        counts: Counter[bytes] = Counter()
        for _, listed in self.lists():
            counts.update(listed)
        wrong: list[tuple[int, bytes]] = []
        last = b""
        while found := self._index.rows(
            "SELECT digest, refs FROM segments WHERE digest > ? ORDER BY digest LIMIT ?", last, _SCANNED
        ):
            wrong += ((counts[digest], digest) for digest, refs in found if refs != counts[digest] or refs <= 0)
            last = found[-1][0]
        return wrong

    def recount(self) -> None:
        """Set every count to the number of places that list the segment; forget those that none lists."""
        self._index.change_many("UPDATE segments SET refs = ? WHERE digest = ?", self.miscounted())
        self._index.change("DELETE FROM segments WHERE refs <= 0")

    def _add_pack(self, pack: Pack) -> int:
        return self._index.change("INSERT INTO packs (name, nbytes) VALUES (?, ?)", pack.name, pack.nbytes)
