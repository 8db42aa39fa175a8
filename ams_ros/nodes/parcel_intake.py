"""Taking over what a client hands to the pool in shared memory of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ams_ros.context.host.extents import aligned
from ams_ros.context.host.parcel import read_parcel
from ams_ros.context.records import NewVector
from ams_ros.errors import ConfigurationError
from ams_ros.nodes.pool_conversions import VectorLayout


class ParcelIntake:
    """Copies parcels into memory that no client can write to, so that what was hashed is what is kept. One thread."""

    def __init__(self, maximum_bytes: int) -> None:
        """maximum_bytes: of one context; a larger one is refused before anything is read."""
        self._maximum = maximum_bytes
        # Kept from one context to the next: fresh memory costs more page faults than the copy costs time.
        self._scratch: NDArray[np.uint8] = np.empty(0, np.uint8)

    def take(self, memory: str, memory_bytes: int, layouts: Sequence[VectorLayout]) -> tuple[NewVector, ...]:
        """The vectors, in memory that is good until the next call.

        Raises ConfigurationError when they are too large together, PoolError when the client's memory does not hold
        what was promised.
        """
        needed = sum(aligned(layout.nbytes) for layout in layouts)
        if needed > self._maximum:
            raise ConfigurationError(
                "vectors", f"{needed} bytes", f"at most {self._maximum} bytes (maximum_context_bytes)"
            )
        if len(self._scratch) < needed:
            self._scratch = np.empty(needed, np.uint8)
        vectors, offset = [], 0
        for layout in layouts:
            content = self._scratch[offset : offset + layout.nbytes]
            read_parcel(memory, memory_bytes, layout.pieces, content)
            array = content.view(layout.dtype).reshape(layout.shape)
            vectors.append(NewVector(layout.kind, layout.name, array, layout.key, layout.cost))
            offset += aligned(layout.nbytes)
        return tuple(vectors)
