"""The frame of a safetensors file: eight bytes of length, a JSON header, then the tensors' bytes without gaps.

Written and read here and not by the library because packs and exports are streamed, and read by offset from files
that may be damaged. Format: https://huggingface.co/docs/safetensors (Format).
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ams_ros.errors import PoolError

MAXIMUM_HEADER_BYTES = 64 * 2**20

_NAMES = {"float16": "F16", "float32": "F32", "float64": "F64", "uint8": "U8", "uint16": "U16"}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
_ITEM_BYTES = {"float16": 2, "float32": 4, "float64": 8, "uint8": 1, "uint16": 2}
_LENGTH = struct.Struct("<Q")
_ALIGNMENT = 8


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """One tensor of a file: its layout, and where its bytes lie, counted from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    position: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class TensorFrame:
    """The header of a file: its metadata, its tensors by name, where their bytes begin."""

    metadata: dict[str, str]
    tensors: dict[str, TensorPlace]
    begin: int


def encode_frame(tensors: Iterable[tuple[str, str, tuple[int, ...], int]], metadata: Mapping[str, str]) -> bytes:
    """Length and header of a file that holds the tensors (name, dtype, shape, nbytes) in that order."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name, dtype, shape, nbytes in tensors:
        header[name] = {"dtype": _NAMES[dtype], "shape": shape, "data_offsets": [offset, offset + nbytes]}
        offset += nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return _LENGTH.pack(len(text)) + text


def read_frame(file: int, size: int, cut_short: bool = False) -> TensorFrame:
    """The header of an open file of `size` bytes; raises PoolError when it is not one that can be trusted.

    cut_short: accept a file that ends before its last tensor does.

    Everything is checked before it is used: lengths against the file, offsets against each other, layouts against
    their bytes. Nothing larger than the file is ever allocated.
    """
    if size < _LENGTH.size:
        raise PoolError(f"the file ends after {size} bytes, before its header")
    (length,) = _LENGTH.unpack(read_exactly(file, _LENGTH.size, 0))
    if length > min(MAXIMUM_HEADER_BYTES, size - _LENGTH.size):
        raise PoolError(f"the header claims {length} bytes in a file of {size}, at most {MAXIMUM_HEADER_BYTES} allowed")
    try:
        header = json.loads(read_exactly(file, length, _LENGTH.size))
    except (ValueError, RecursionError) as error:
        raise PoolError(f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise PoolError(f"the header is a {type(header).__name__}, not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise PoolError("the header's __metadata__ is not an object of texts")
    begin = _LENGTH.size + length
    tensors = {name: _place(name, entry, begin) for name, entry in header.items()}
    _check_cover(tensors, begin, size, cut_short)
    return TensorFrame(metadata, tensors, begin)


def read_exactly(file: int, nbytes: int, position: int) -> bytes:
    """That many bytes of an open file; raises PoolError when it ends before. The caller has bounded `nbytes`."""
    found = bytearray()
    while len(found) < nbytes:
        part = os.pread(file, nbytes - len(found), position + len(found))
        if not part:
            raise PoolError(f"the file ends at byte {position + len(found)}, expected {position + nbytes}")
        found += part
    return bytes(found)


def _place(name: str, entry: object, begin: int) -> TensorPlace:
    """The place an entry of the header describes; raises PoolError for anything else than a proper one."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise PoolError(f"tensor {name[:80]!r} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise PoolError(f"tensor {name[:80]!r} has dtype {str(dtype)[:80]!r}, allowed: {', '.join(_DTYPES)}")
    if not _lengths(shape, 8) or not _lengths(offsets, 2) or len(offsets) != 2:
        raise PoolError(f"tensor {name[:80]!r} has a shape or offsets that are no lists of sizes")
    count = 1
    for length in shape:
        count *= length
    first, last = offsets
    if last - first != count * _ITEM_BYTES[_DTYPES[dtype]]:
        raise PoolError(f"tensor {name[:80]!r} has {last - first} bytes, not those of its shape")
    return TensorPlace(_DTYPES[dtype], tuple(shape), begin + first, last - first)


def _lengths(entry: object, most: int) -> bool:
    """Whether it is a short list of sizes; JSON's true and huge numbers are none."""
    return (
        isinstance(entry, list)
        and len(entry) <= most
        and all(type(each) is int and 0 <= each < 2**48 for each in entry)
    )


def _check_cover(tensors: Mapping[str, TensorPlace], begin: int, size: int, cut_short: bool) -> None:
    """Refuse tensors that overlap, leave gaps or reach beyond the file: none of our writers makes such a file."""
    end = begin
    for place in sorted(tensors.values(), key=lambda place: (place.position, place.nbytes)):
        if place.position != end:
            raise PoolError(f"a tensor begins at byte {place.position}, expected {end}")
        end += place.nbytes
    if end < size or (end > size and not cut_short):
        raise PoolError(f"the tensors end at byte {end} of a file of {size}")
