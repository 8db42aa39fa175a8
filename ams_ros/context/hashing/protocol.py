"""The border between what needs a digest and how it is computed."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Buffer = bytes | bytearray | memoryview | NDArray[Any]
"""Content to hash: any C-contiguous object with the buffer protocol, read as bytes."""


class SegmentHash(Protocol):
    """Turns bytes into a digest of fixed length; stateless, so that threads may share one."""

    @property
    def name(self) -> str:
        """How settings call it."""
        ...

    @property
    def cryptographic(self) -> bool:
        """Whether equal digests may be taken as equal content; otherwise a hit must be confirmed on the content."""
        ...

    def digest(self, data: Buffer) -> bytes:
        """The digest of `data`, always of the same length; raises TypeError when it is not C-contiguous."""
        ...


def as_bytes(data: Buffer) -> memoryview:
    """The bytes of `data` without a copy; raises TypeError when it is not C-contiguous."""
    view = data.data if isinstance(data, np.ndarray) else memoryview(data)
    if view.nbytes == 0:
        return memoryview(b"")
    return view if view.format == "B" and view.ndim == 1 and view.contiguous else view.cast("B")
