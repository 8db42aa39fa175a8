"""The precision in which the pool keeps embeddings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ams_ros.types import Float32Array

HalfArray = NDArray[np.float16]


def half_rows(rows: Float32Array | HalfArray) -> HalfArray:
    """Embeddings (n, d) as they are kept: brought to length 1 and rounded.

    A row that half precision has a form for is kept as it is, so that what was read and is kept again never changes.
    """
    if rows.dtype == np.float16:
        return rows.astype(np.float16)
    halves = rows.astype(np.float16)
    exact = (halves == rows).all(axis=1, keepdims=True)
    if exact.all():
        return halves
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return np.where(exact, halves, (rows / lengths).astype(np.float16))
