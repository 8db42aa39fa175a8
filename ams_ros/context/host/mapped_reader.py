"""The client's side of a look-up: copy the pieces out of the pool's memory, then look at the clock."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ams_ros.context.host.parcel import Pieces, check_pieces
from ams_ros.context.host.shared_memory import SharedArea, area_exists
from ams_ros.context.memory import raw_memory
from ams_ros.errors import PoolError


class MappedReader:
    """Maps each area once and reads leased pieces. For one thread.

    A pool that dies keeps its memory as long as it is mapped here; what was leased then stays good. Mappings of areas
    that have lost their name go when another area is mapped, and at `close`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: CLOCK_MONOTONIC, s, the one the pool sets its deadlines by."""
        self._clock = clock
        self._areas: dict[str, SharedArea] = {}

    def read(
        self, memory: str, memory_bytes: int, pieces: Pieces, nbytes: int, deadline: float
    ) -> NDArray[np.uint8] | None:
        """The pieces of that area one after the other, (nbytes,) uint8 in memory of its own.

        None when the copy was not finished by the deadline: what was copied may be something else by then.
        Raises PoolError when the area is gone, not ours or too short, or the pieces are not `nbytes` within it.
        """
        check_pieces(pieces, memory_bytes, nbytes)
        area = self._map(memory, memory_bytes)
        out = np.empty(nbytes, np.uint8)
        base, target = raw_memory.address_of(area.array), raw_memory.address_of(out)
        for offset, length in pieces:
            raw_memory.copy(target, base + offset, length)
            target += length
        return out if self._clock() <= deadline else None

    def close(self) -> None:
        """Unmap everything."""
        for area in self._areas.values():
            area.close()
        self._areas.clear()

    def _map(self, name: str, nbytes: int) -> SharedArea:
        """The mapping of that area, made on first use."""
        area = self._areas.get(name)
        if area is None:
            for gone in [each for each in self._areas if not area_exists(each)]:
                self._areas.pop(gone).close()
            area = self._areas[name] = SharedArea.open(name, nbytes)
        if area.nbytes < nbytes:
            raise PoolError(f"shared memory {name}: {nbytes} bytes promised, {area.nbytes} when it was first mapped")
        return area
