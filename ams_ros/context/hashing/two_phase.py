"""Two-phase hashing of serialised content (paper, algorithm 1; spec C4)."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ams_ros.context.hashing.protocol import Buffer, SegmentHash, as_bytes
from ams_ros.errors import ConfigurationError

SEGMENT_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digests of one content: `segments` in order (none for empty content), and `whole` over their list."""

    segments: tuple[bytes, ...]
    whole: bytes


def fingerprint(data: Buffer, segment_bytes: int, hash: SegmentHash, workers: int = 1) -> Fingerprint:
    """Hash every segment of `segment_bytes` (the last may be shorter), then the list of digests.

    workers: threads that share phase 1; one means the calling thread. The result does not depend on it. The whole
    also covers the content's length and the segment size, so that no content's list is another content.
    Raises ConfigurationError for sizes below 1 and TypeError for content that is not C-contiguous.
    """
    if segment_bytes < 1:
        raise ConfigurationError("segment_bytes", segment_bytes, "at least 1")
    if workers < 1:
        raise ConfigurationError("workers", workers, "at least 1")
    view = as_bytes(data)
    segments = [view[start : start + segment_bytes] for start in range(0, len(view), segment_bytes)]
    if workers == 1 or len(segments) < 2 * workers:
        digests = [hash.digest(segment) for segment in segments]
    else:
        digests = _hash_in_threads(segments, hash, workers)
    header = struct.pack("<14sQQ", b"ams_ros list 1", len(view), segment_bytes)
    return Fingerprint(tuple(digests), hash.digest(b"".join((header, *digests))))


def _hash_in_threads(segments: list[memoryview], hash: SegmentHash, workers: int) -> list[bytes]:
    """Phase 1 in threads; the hashes let go of Python's lock while they read a segment."""
    share = -(-len(segments) // workers)
    shares = [segments[start : start + share] for start in range(0, len(segments), share)]
    with ThreadPoolExecutor(workers, thread_name_prefix="ams_hash") as pool:
        hashed = pool.map(lambda part: [hash.digest(segment) for segment in part], shares)
        return [digest for part in hashed for digest in part]
