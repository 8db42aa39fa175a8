"""BLAKE3: names of disk segments and input keys."""

from __future__ import annotations

import blake3

from ams_ros.context.hashing.protocol import Buffer, as_bytes


class Blake3Hash:
    """32 bytes, cryptographic (https://github.com/BLAKE3-team/BLAKE3); runs in the calling thread alone."""

    name = "blake3"
    cryptographic = True

    def digest(self, data: Buffer) -> bytes:
        """The 32-byte digest; raises TypeError when `data` is not C-contiguous."""
        return blake3.blake3(as_bytes(data), max_threads=1).digest()
