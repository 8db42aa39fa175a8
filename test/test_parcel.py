"""Parcels carry vectors from a client to the pool; leased pieces are copied out of the pool's memory in time or not."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

from ams_ros.context.host import parcel as parcel_module
from ams_ros.context.host.mapped_reader import MappedReader
from ams_ros.context.host.parcel import GRAIN, Parcel, ParcelWriter, read_parcel
from ams_ros.context.host.shared_memory import FOLDER, SharedArea, area_exists, area_name
from ams_ros.errors import PoolError

STORE = f"test.{os.getpid()}"


@pytest.fixture
def writer() -> Iterator[ParcelWriter]:
    writer = ParcelWriter(STORE)
    yield writer
    writer.close()


@pytest.fixture
def area() -> Iterator[SharedArea]:
    """The pool's memory: 4096 bytes that count up."""
    area = SharedArea.create(area_name(STORE, "host"), 4096)
    area.array[:] = np.arange(4096) % 251
    yield area
    area.close()


@pytest.fixture
def reader() -> Iterator[MappedReader]:
    """A reader whose clock always shows 10 s."""
    reader = MappedReader(lambda: 10.0)
    yield reader
    reader.close()


def received(parcel: Parcel) -> np.ndarray:
    """What the pool reads of a parcel."""
    out = np.empty(sum(length for _, length in parcel.pieces), np.uint8)
    read_parcel(parcel.name, parcel.nbytes, parcel.pieces, out)
    return out


def test_the_pool_reads_what_the_client_wrote(writer: ParcelWriter) -> None:
    arrays = [np.arange(7, dtype=np.float64), np.arange(30, dtype=np.uint8).reshape(5, 6), np.float32([[1.5]])]
    parcel = writer.write(arrays)
    assert all(offset % 64 == 0 for offset, _ in parcel.pieces)
    assert received(parcel).tobytes() == b"".join(array.tobytes() for array in arrays)


def test_the_area_is_reused_once_the_pool_has_answered(writer: ParcelWriter) -> None:
    first = writer.write([np.zeros(100, np.uint8)])
    writer.free()
    second = writer.write([np.ones(1000, np.uint8)])
    assert second.name == first.name
    assert received(second).all()


def test_a_parcel_the_pool_may_still_read_is_never_overwritten(writer: ParcelWriter) -> None:
    first = writer.write([np.zeros(100, np.uint8)])
    late = SharedArea.open(first.name, first.nbytes)
    second = writer.write([np.ones(100, np.uint8)])
    assert second.name != first.name
    assert not area_exists(first.name)
    assert not late.array.any()
    late.close()


def test_the_area_grows_with_the_context_and_goes_at_close(writer: ParcelWriter) -> None:
    small = writer.write([np.zeros(100, np.uint8)])
    writer.free()
    large = writer.write([np.ones(GRAIN + 1, np.uint8)])
    assert (small.nbytes, large.nbytes) == (GRAIN, 2 * GRAIN)
    assert received(large).all()
    writer.close()
    assert not area_exists(small.name)
    assert not area_exists(large.name)


def test_a_parcel_without_vectors_has_no_pieces(writer: ParcelWriter) -> None:
    parcel = writer.write([])
    assert parcel.pieces == ()
    assert received(parcel).size == 0


def test_arrays_that_are_not_contiguous_are_refused(writer: ParcelWriter) -> None:
    with pytest.raises(ValueError, match="C-contiguous"):
        writer.write([np.zeros((4, 4))[:, 1:]])


BAD_PIECES = [
    [(0, 4097)],
    [(4096, 1)],
    [(-1, 1)],
    [(0, 0)],
    [(8, -8)],
    [(2**63, 1)],
    [(0, 8), (4095, 2)],
]


@pytest.mark.parametrize("pieces", BAD_PIECES)
def test_pieces_outside_of_the_area_are_refused(
    area: SharedArea, reader: MappedReader, pieces: list[tuple[int, int]]
) -> None:
    total = sum(length for _, length in pieces)
    with pytest.raises(PoolError, match="outside of 4096 bytes"):
        reader.read(area.name, area.nbytes, pieces, total, 11.0)
    with pytest.raises(PoolError, match="outside of 4096 bytes"):
        read_parcel(area.name, area.nbytes, pieces, np.empty(max(total, 0), np.uint8))


def test_pieces_that_are_not_the_whole_are_refused(area: SharedArea, reader: MappedReader) -> None:
    with pytest.raises(PoolError, match="pieces of 8 bytes together, 9 expected"):
        reader.read(area.name, area.nbytes, [(0, 8)], 9, 11.0)
    with pytest.raises(PoolError, match="pieces of 4096 bytes together, 8 expected"):
        read_parcel(area.name, area.nbytes, [(0, 4096)], np.empty(8, np.uint8))


def test_a_size_that_the_file_does_not_have_is_an_error_and_not_a_crash(area: SharedArea, reader: MappedReader) -> None:
    for promised in (area.nbytes + 1, 2**40):
        with pytest.raises(PoolError, match="bytes promised, 4096 are there"):
            reader.read(area.name, promised, [(0, 8)], 8, 11.0)
        with pytest.raises(PoolError, match="bytes promised, 4096 are there"):
            read_parcel(area.name, promised, [(0, 8)], np.empty(8, np.uint8))
    reader.read(area.name, 100, [(0, 8)], 8, 11.0)
    with pytest.raises(PoolError, match="100 when it was first mapped"):
        reader.read(area.name, 4096, [(4000, 8)], 8, 11.0)


def test_a_client_that_shortens_its_parcel_while_it_is_read_does_not_crash_the_pool(
    writer: ParcelWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = writer.write([np.zeros(GRAIN // 2, np.uint8), np.zeros(GRAIN // 2, np.uint8)])
    preadv = os.preadv

    def shorten_after_reading(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        count = preadv(descriptor, buffers, offset)
        os.truncate(FOLDER / parcel.name, GRAIN // 2)
        return count

    monkeypatch.setattr(parcel_module.os, "preadv", shorten_after_reading)
    with pytest.raises(PoolError, match="it was shortened while it was read"):
        received(parcel)


def test_leased_pieces_are_copied_in_order(area: SharedArea, reader: MappedReader) -> None:
    pieces = [(100, 50), (0, 10), (4000, 96)]
    out = reader.read(area.name, area.nbytes, pieces, 156, 10.0)
    assert out is not None
    assert out.tobytes() == b"".join(area.array[start : start + length].tobytes() for start, length in pieces)
    area.array[:] = 0
    assert out.any(), "the copy is the reader's own"


def test_a_copy_that_ends_after_the_deadline_is_worth_nothing(area: SharedArea, reader: MappedReader) -> None:
    assert reader.read(area.name, area.nbytes, [(0, 8)], 8, 9.999) is None


def test_the_clock_is_looked_at_after_copying(area: SharedArea) -> None:
    seen: list[bool] = []

    def clock() -> float:
        area.array[:] = 0
        seen.append(True)
        return 10.0

    reader = MappedReader(clock)
    out = reader.read(area.name, area.nbytes, [(1, 8)], 8, 11.0)
    assert out is not None
    assert out.all(), "it had been copied before the clock was asked"
    assert seen == [True]
    reader.close()


def test_areas_that_lost_their_name_are_unmapped(area: SharedArea, reader: MappedReader) -> None:
    gone = SharedArea.create(area_name(STORE, "host"), 4096)
    assert reader.read(gone.name, 4096, [(0, 8)], 8, 11.0) is not None
    gone.close()
    assert reader.read(gone.name, 4096, [(0, 8)], 8, 11.0) is not None, "a dead pool's memory stays as it was"
    reader.read(area.name, area.nbytes, [(0, 8)], 8, 11.0)
    with pytest.raises(PoolError, match=gone.name):
        reader.read(gone.name, 4096, [(0, 8)], 8, 11.0)
    with open("/proc/self/maps", encoding="ascii") as maps:
        assert gone.name not in maps.read()
