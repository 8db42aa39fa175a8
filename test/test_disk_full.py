"""A disk that is really full (ENOSPC) costs what did not fit and nothing else (spec C3)."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from disk_fixtures import content, new_context, record, vector

from ams_ros.context.disk.disk_tier import DiskTier
from ams_ros.context.disk.portable import export_contexts, read_contexts
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.records import ContextOutcome, VectorKind
from ams_ros.errors import PoolError

MEGABYTE = 2**20
BUDGET = 2**30
NO_ROOM = "No space left on device.*free space on that disk|disk is full.*see that the disk has room"


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 4 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("to mount a file system of 4 MiB takes root")
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount command")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this root may not mount a file system: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        detach = 2
        ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(folder), detach)


def fill(folder: Path, leave: int) -> Path:
    """Take all room of a disk but `leave` bytes."""
    ballast = folder / "ballast"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    ballast.write_bytes(bytes(free - leave))
    return ballast


def test_a_full_disk_refuses_a_save_keeps_everything_else_and_goes_on_when_there_is_room_c3(small_disk):
    tier = DiskTier(small_disk / "store", BUDGET)
    saved: dict[int, int] = {}

    def save_until_refused() -> None:
        for number in range(100):
            (saved[number],) = tier.save(record(f"c{number}"), [vector(VectorKind.PREFIX, number, 300_000)])

    with pytest.raises(PoolError, match=NO_ROOM):
        save_until_refused()
    assert len(saved) > 5
    assert len(list((tier.folder / "packs").iterdir())) == len(saved)
    for number, row in saved.items():
        assert np.array_equal(tier.load(row), content(number, 300_000))
    assert tier.verify().damaged == ()
    assert tier.remove_contexts(["c0", "c1", "c2"]) == 3
    assert tier.collect() > 800_000
    tier.save(record("again"), [vector(VectorKind.PREFIX, 1000, 300_000)])
    tier.close()
    tier = DiskTier(small_disk / "store", BUDGET)
    assert (tier.findings, tier.damaged) == ((), 0)
    assert [found.context_id for found, _, _ in tier.contexts()] == [*(f"c{n}" for n in saved if n > 2), "again"]
    assert tier.verify().damaged == ()
    tier.close()


@pytest.mark.parametrize("leave", [0, 4096, 12_288, 40_960])
def test_a_disk_that_is_full_to_the_last_page_breaks_no_store_whatever_is_tried_c3(small_disk, leave):
    tier = DiskTier(small_disk / "store", BUDGET)
    items = [(record(f"c{n}"), [vector(VectorKind.LATENTS, n, 3000)], None) for n in range(100)]
    tier.save_many(items)
    ballast = fill(small_disk, leave)
    refusals = 0
    deeds = [
        lambda: tier.save(record("big"), [vector(VectorKind.PREFIX, 7, 200_000)]),
        lambda: tier.set_outcome([f"c{n}" for n in range(100)], ContextOutcome.FAILED),
        lambda: tier.set_pinned([f"c{n}" for n in range(100)], True),
        lambda: tier.remove_contexts([f"c{n}" for n in range(60)]),
        tier.collect,
        tier.verify,
        lambda: tier.save_many([(each, [], None) for each, _, _ in items]),
    ]
    for deed in deeds:
        try:
            deed()
        except PoolError as error:
            assert str(small_disk) in str(error)  # noqa: PT017
            refusals += 1
        left = {context.context_id for context, _, _ in tier.contexts()}
        assert left in ({f"c{n}" for n in range(100)}, {f"c{n}" for n in range(60, 100)})
    assert refusals > 0
    ballast.unlink()
    tier.save(record("after"), [vector(VectorKind.PREFIX, 7, 200_000)])
    tier.close()
    tier = DiskTier(small_disk / "store", BUDGET)
    assert (tier.findings, tier.damaged) == ((), 0)
    assert tier.verify().damaged == ()
    for context, _, rows in tier.contexts():
        for row in rows:
            seed = 7 if context.context_id == "after" else int(context.context_id[1:])
            assert np.array_equal(tier.load(row.number), content(seed, row.nbytes))
    tier.close()


def test_what_cannot_be_mended_on_a_full_disk_is_told_and_mended_when_there_is_room(small_disk):
    tier = DiskTier(small_disk / "store", BUDGET)
    (number,) = tier.save(record("a"), [vector(VectorKind.PREFIX, 1, 300_000)])
    (pack,) = (tier.folder / "packs").iterdir()
    with pack.open("r+b") as file:
        file.seek(40)
        file.write(b"?")
    ballast = fill(small_disk, 40_960)
    damaged, refused = tier.verify().damaged
    assert damaged == f"pack {pack.name}: its header is damaged"
    assert refused.startswith(f"pack {pack.name}: it cannot be written anew: ")
    assert np.array_equal(tier.load(number), content(1, 300_000))
    ballast.unlink()
    assert tier.verify().damaged == (damaged,)
    assert tier.verify().damaged == ()
    assert np.array_equal(tier.load(number), content(1, 300_000))
    tier.close()


def test_a_store_cannot_begin_on_a_full_disk_and_says_so(small_disk):
    ballast = fill(small_disk, 0)
    with pytest.raises(PoolError, match=str(small_disk)):
        DiskTier(small_disk / "store", BUDGET)
    ballast.unlink()
    DiskTier(small_disk / "store", BUDGET).close()


def test_a_pool_on_a_full_disk_goes_on_in_memory_and_says_what_it_cannot_keep(small_disk):
    options = PoolOptions(path=small_disk / "store", host_bytes=8 * MEGABYTE, disk_bytes=BUDGET)
    pool = ContextPool(options)
    pool.put(new_context("kept"), durable=True)
    ballast = fill(small_disk, 0)
    with pytest.raises(PoolError, match=str(small_disk)):
        pool.put(new_context("refused", 1), durable=True)
    pool.put(new_context("memory", 2))
    with pytest.raises(PoolError, match=str(small_disk)):
        pool.set_outcome("memory", ContextOutcome.SUCCEEDED)
    assert pool.record("memory").outcome is ContextOutcome.UNKNOWN
    assert pool.record("refused") is None
    pool.check()
    ballast.unlink()
    assert pool.set_outcome("memory", ContextOutcome.SUCCEEDED) == 1
    pool.close()
    pool = ContextPool(options)
    assert pool.findings == ()
    assert {listed.record.context_id for listed in pool.listing().contexts} == {"kept", "memory"}
    pool.close()


def test_an_export_that_does_not_fit_leaves_nothing_behind_and_the_one_before_it_as_it_was(small_disk):
    export_contexts(small_disk / "before", [new_context("a")])
    fill(small_disk, 20_480)
    with pytest.raises(PoolError, match=NO_ROOM):
        export_contexts(small_disk / "after", [new_context(f"b{n}", n) for n in range(5)])
    assert [each.record.context_id for each in read_contexts(small_disk / "before")] == ["a"]
    assert sorted(path.name for path in small_disk.iterdir()) == ["ballast", "before"]


def test_a_disk_that_takes_no_more_bytes_costs_only_the_save_that_did_not_fit(tmp_path):
    program = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from disk_fixtures import content, record, vector
from ams_ros.context.disk.disk_tier import DiskTier
from ams_ros.context.records import VectorKind
from ams_ros.errors import PoolError
tier = DiskTier(Path({str(tmp_path / "store")!r}), 2**26)
(first,) = tier.save(record("a"), [vector(VectorKind.PREFIX, 1, 100_000)])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    tier.save(record("b"), [vector(VectorKind.PREFIX, 2, 500_000)])
except PoolError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert (tier.load(first) == content(1, 100_000)).all()
tier.save(record("c"), [vector(VectorKind.PREFIX, 3, 500_000)])
print([found.context_id for found, _, _ in tier.contexts()], len(list((tier.folder / "packs").iterdir())))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    refusal, rest = done.stdout.splitlines()
    assert refusal.startswith(str(tmp_path / "store" / "packs"))
    assert rest == "['a', 'c'] 2"
