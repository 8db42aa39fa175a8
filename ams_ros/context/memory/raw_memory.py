"""Comparing and copying memory by address, at the speed of the C library.

The caller vouches for the addresses: nothing here is checked.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

SHORT = 256 * 1024
"""Bytes below which Python's lock is kept: to get it back from a busy thread may take far longer than the call."""


def address_of(array: NDArray[np.uint8]) -> int:
    """Address of the first element."""
    return int(array.__array_interface__["data"][0])


def equal(first: int, second: int, nbytes: int) -> bool:
    """Whether `nbytes` at both addresses are the same."""
    compare = _compare_locked if nbytes < SHORT else _compare
    return not compare(first, second, nbytes)


def copy(target: int, source: int, nbytes: int) -> None:
    """Copy; the two may overlap."""
    move = _move_locked if nbytes < SHORT else _move
    move(target, source, nbytes)


def _function(library: ctypes.CDLL, name: str, types: list[type], result: type) -> ctypes._NamedFuncPointer:
    """A function of the C library with its signature."""
    function = getattr(library, name)
    function.argtypes, function.restype = types, result
    return function  # type: ignore[no-any-return]


_BOTH: list[type] = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
_compare = _function(ctypes.CDLL(None), "memcmp", _BOTH, ctypes.c_int)
_compare_locked = _function(ctypes.PyDLL(None), "memcmp", _BOTH, ctypes.c_int)
_move = _function(ctypes.CDLL(None), "memmove", _BOTH, ctypes.c_void_p)
_move_locked = _function(ctypes.PyDLL(None), "memmove", _BOTH, ctypes.c_void_p)
