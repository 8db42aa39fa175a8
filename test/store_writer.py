"""A process that changes a store without end and says each thing it was told is done; a test kills it.

Usage: store_writer.py FOLDER FIRST. Prints `+NUMBER` when context c<NUMBER> is saved and `-NUMBER` when it is removed.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from disk_fixtures import record, vector

from ams_ros.context.disk.disk_tier import DiskTier, DiskVector
from ams_ros.context.records import VectorKind


def vectors_of(number: int) -> list[DiskVector]:
    """Half of the prefixes are shared with another context, so that segments have more than one owner."""
    return [
        vector(VectorKind.PREFIX, number // 2, 150_000 + number % 7),
        vector(VectorKind.LATENTS, number + 10_000, 20_000),
    ]


def main() -> None:
    tier = DiskTier(Path(sys.argv[1]), 2**30)
    print("open", flush=True)
    for number in itertools.count(int(sys.argv[2])):
        tier.save(record(f"c{number}"), vectors_of(number))
        print(f"+{number}", flush=True)
        if number % 3 == 2:
            tier.remove_context(f"c{number - 1}")
            print(f"-{number - 1}", flush=True)
        if number % 4 == 3:
            tier.collect()


if __name__ == "__main__":
    main()
