"""Parcels: how a client hands a context's vectors to the pool, in shared memory of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ams_ros.context.host.extents import aligned
from ams_ros.context.host.shared_memory import SharedArea, area_name, open_file
from ams_ros.context.memory import raw_memory
from ams_ros.context.records import Array
from ams_ros.errors import PoolError

Pieces = Sequence[tuple[int, int]]
"""Offsets and sizes in an area, bytes."""

GRAIN = 1 << 20
"""Areas are multiples of this many bytes, so that contexts of about the same size share one."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What to tell the pool. pieces: (offset, nbytes) in the area for each array, in order."""

    name: str
    nbytes: int
    pieces: tuple[tuple[int, int], ...]


class ParcelWriter:
    """Writes parcels, one after the other, into one area that stays mapped and warm. For one thread.

    After the pool has answered, call `free`: the next parcel then overwrites this one. A parcel that was never freed
    (the pool did not answer and may still read) is not overwritten: it loses its name and the next gets a new area.
    """

    def __init__(self, store: str) -> None:
        """store: whose name the areas bear, such as the client's; letters, digits, . and -. Creates nothing yet."""
        self._store = store
        self._area: SharedArea | None = None
        self._out = False

    def write(self, arrays: Sequence[Array]) -> Parcel:
        """Copy C-contiguous arrays; raises PoolError when shared memory has no room for them."""
        for array in arrays:
            if not array.flags.c_contiguous:
                raise ValueError(f"parcel: array of strides {array.strides}, expected C-contiguous ones")
        needed = sum(aligned(array.nbytes) for array in arrays)
        area = self._area_of(max(needed, 1))
        self._out = True
        base, offset = raw_memory.address_of(area.array), 0
        pieces = []
        for array in arrays:
            raw_memory.copy(base + offset, raw_memory.address_of(array), array.nbytes)
            pieces.append((offset, array.nbytes))
            offset += aligned(array.nbytes)
        return Parcel(area.name, area.nbytes, tuple(pieces))

    def free(self) -> None:
        """The pool has answered and reads the parcel no more."""
        self._out = False

    def close(self) -> None:
        """Give the memory back, name included."""
        if self._area is not None:
            self._area.close()
            self._area = None

    def _area_of(self, nbytes: int) -> SharedArea:
        """An area of at least that size that nobody reads."""
        if self._area is None or self._out or self._area.nbytes < nbytes:
            self.close()
            size = -(-nbytes // GRAIN) * GRAIN
            self._area = SharedArea.create(area_name(self._store, "parcel"), size, "vectors of the context")
        return self._area


def check_pieces(pieces: Pieces, area_bytes: int, nbytes: int) -> None:
    """Raise PoolError unless every piece lies within the area and together they are `nbytes`."""
    for offset, length in pieces:
        if offset < 0 or length < 1 or offset + length > area_bytes:
            raise PoolError(f"piece of {length} bytes at {offset}: outside of {area_bytes} bytes of shared memory")
    total = sum(length for _, length in pieces)
    if total != nbytes:
        raise PoolError(f"pieces of {total} bytes together, {nbytes} expected")


def read_parcel(name: str, area_bytes: int, pieces: Pieces, out: NDArray[np.uint8]) -> None:
    """Copy the pieces of another process's area, one after the other, into `out`, (n,) uint8 of exactly their bytes.

    Reads the file instead of mapping it, so that a writer that shortens it meanwhile causes an error and no crash.
    Raises PoolError when the area is gone, not ours or too short, or a piece lies outside of it.
    """
    check_pieces(pieces, area_bytes, len(out))
    descriptor = open_file(name, area_bytes)
    try:
        target = memoryview(out)  # type: ignore[arg-type]
        for offset, length in pieces:
            _read(name, descriptor, offset, target[:length])
            target = target[length:]
    finally:
        os.close(descriptor)


def _read(name: str, descriptor: int, offset: int, target: memoryview) -> None:
    """Fill the target from the file; the kernel gives at most 2 GiB at a time."""
    while target:
        count = os.preadv(descriptor, [target], offset)
        if count == 0:
            raise PoolError(f"shared memory {name} ends at {offset}: it was shortened while it was read")
        offset, target = offset + count, target[count:]
