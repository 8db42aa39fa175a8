"""XXH3: digests of segments in the host tier."""

from __future__ import annotations

import xxhash

from ams_ros.context.hashing.protocol import Buffer, as_bytes


class Xxh3Hash:
    """16 bytes, as fast as memory; not cryptographic: collisions can be made, so hits are confirmed on content.

    Source: https://github.com/Cyan4973/xxHash (XXH3, 128 bits).
    """

    name = "xxh3"
    cryptographic = False

    def digest(self, data: Buffer) -> bytes:
        """The 16-byte digest; raises TypeError when `data` is not C-contiguous."""
        return xxhash.xxh3_128_digest(as_bytes(data))
