"""From the name of a hash in the settings to the hash."""

from __future__ import annotations

from ams_ros.context.hashing.blake3 import Blake3Hash
from ams_ros.context.hashing.modular import ModularHash
from ams_ros.context.hashing.protocol import SegmentHash
from ams_ros.context.hashing.xxh3 import Xxh3Hash
from ams_ros.errors import ConfigurationError

_HASHES: tuple[SegmentHash, ...] = (Blake3Hash(), Xxh3Hash(), ModularHash())

HASH_NAMES = tuple(hash.name for hash in _HASHES)


def find_hash(name: str) -> SegmentHash:
    """The hash of that name; raises ConfigurationError naming those there are."""
    for hash in _HASHES:
        if hash.name == name:
            return hash
    raise ConfigurationError("hash", name, ", ".join(HASH_NAMES))
