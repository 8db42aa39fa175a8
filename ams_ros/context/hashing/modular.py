"""The paper's modular hash, for comparison with the others."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from ams_ros.context.hashing.protocol import Buffer, as_bytes

MODULUS = 2**31 - 1
"""A Mersenne prime, so that a remainder is a shift and an addition instead of a division."""

BASE = 1_103_515_245
BLOCK_WORDS = 4096
"""Words hashed at once: few enough that every intermediate array stays in the processor's cache."""


class ModularHash:
    """8 bytes: a polynomial of the 32-bit words modulo 2^31 - 1, and the length. Collides by construction.

    Two words that differ by the modulus have the same remainder, so anybody can write two contents of equal digest;
    a hit is worth nothing before the content was compared. Source of the idea: paper, section 3.2.3 ("the hash
    functions involved are modular calculation"); it names neither modulus nor base, so these are ours.
    """

    name = "modular"
    cryptographic = False

    def digest(self, data: Buffer) -> bytes:
        """The 8-byte digest; raises TypeError when `data` is not C-contiguous."""
        view = as_bytes(data)
        whole = len(view) // 4
        words = np.frombuffer(view, "<u4", whole)
        value = 0
        for start in range(0, whole, BLOCK_WORDS):
            block = words[start : start + BLOCK_WORDS]
            value = (value * pow(BASE, len(block), MODULUS) + _polynomial(block)) % MODULUS
        rest = int.from_bytes(view[4 * whole :], "little")
        value = (value * BASE + rest) % MODULUS
        return struct.pack("<II", value, len(view) % 2**32)


def _polynomial(words: NDArray[np.uint32]) -> int:
    """Sum of word k times BASE^(n - 1 - k) modulo MODULUS, for n words, at most BLOCK_WORDS."""
    products = words.astype(np.uint64)
    products = (products & MODULUS) + (products >> 31)
    products *= _POWERS[BLOCK_WORDS - len(words) :]
    products = (products & MODULUS) + (products >> 31)
    return int(products.sum()) % MODULUS


def _powers() -> NDArray[np.uint64]:
    """BASE^(BLOCK_WORDS - 1) down to BASE^0, each modulo MODULUS."""
    powers = [1]
    for _ in range(BLOCK_WORDS - 1):
        powers.append(powers[-1] * BASE % MODULUS)
    return np.array(powers[::-1], np.uint64)


_POWERS = _powers()
