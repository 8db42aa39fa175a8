"""What goes into the disk tier and what it says of what it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ams_ros.context.records import KEY_BYTES, VectorKind, check_layout
from ams_ros.errors import ConfigurationError

MAXIMUM_NAME_BYTES = 256


@dataclass(frozen=True, slots=True, eq=False)
class DiskVector:
    """One vector as it is handed to the disk tier.

    content: its bytes, (nbytes,) uint8, C-contiguous; or the number of a vector that is on disk already and that the
    context shall hold too, in which case the other fields only repeat what is stored there.
    The rest is as in NewVector and VectorPlace.
    """

    kind: VectorKind
    name: str
    key: bytes
    dtype: str
    shape: tuple[int, ...]
    cost: float
    content: NDArray[np.uint8] | int

    def __post_init__(self) -> None:
        """Refuse what cannot be kept."""
        nbytes = check_layout(self.kind, self.dtype, self.shape)
        if not is_vector_name(self.name):
            raise ConfigurationError(
                f"name of vector {self.kind.value}", self.name[:80], f"Unicode, at most {MAXIMUM_NAME_BYTES} bytes"
            )
        if len(self.key) not in (0, KEY_BYTES):
            raise ConfigurationError(f"key of vector {self.kind.value}", len(self.key), f"0 or {KEY_BYTES} bytes")
        if not 0.0 <= self.cost < float("inf"):
            raise ConfigurationError(f"cost of vector {self.kind.value}", self.cost, "seconds, 0 or more")
        if isinstance(self.content, int):
            return
        found = (self.content.dtype.name, self.content.shape, self.content.flags.c_contiguous)
        if found != ("uint8", (nbytes,), True):
            raise ConfigurationError(
                f"content of vector {self.kind.value}", found, f"{nbytes} contiguous uint8, as {self.shape} needs"
            )


@dataclass(frozen=True, slots=True)
class DiskVectorRow:
    """One vector on disk, without its bytes. number: the disk tier's name for it, never used for another one."""

    number: int
    kind: VectorKind
    name: str
    key: bytes
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    cost: float


@dataclass(frozen=True, slots=True)
class DiskReport:
    """What a check of the whole store found.

    contexts, vectors: how many are whole. damaged: a line for each thing that was not and was removed.
    """

    contexts: int
    vectors: int
    damaged: tuple[str, ...]


def is_vector_name(text: str) -> bool:
    """Whether a text can name a vector: Unicode without lone surrogates, at most MAXIMUM_NAME_BYTES."""
    try:
        return len(text.encode()) <= MAXIMUM_NAME_BYTES
    except UnicodeEncodeError:
        return False
