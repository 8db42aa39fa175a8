"""One process writes a store, others may read it beside (spec C3)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from disk_fixtures import content, record, vector

from ams_ros.context.disk.disk_tier import DamagedVectorError, DiskTier, VectorGoneError
from ams_ros.context.records import VectorKind
from ams_ros.errors import PoolError

MEGABYTE = 2**20


@pytest.fixture
def store(tmp_path):
    tier = DiskTier(tmp_path / "store", 64 * MEGABYTE)
    yield tier
    tier.close()


def pack_files(tier: DiskTier) -> list[Path]:
    return sorted((tier.folder / "packs").iterdir())


def test_two_writers_the_second_is_refused_and_told_who_the_first_is(tmp_path):
    program = (
        "import sys; from pathlib import Path; from ams_ros.context.disk.disk_tier import DiskTier\n"
        f"tier = DiskTier(Path({str(tmp_path / 'store')!r}), 2**24, holder='pool of robot 7')\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"open\n"
        with pytest.raises(PoolError, match=rf"pool of robot 7 \(pid {first.pid} on .*, since 20") as refusal:
            DiskTier(tmp_path / "store", 2**24)
        assert str(tmp_path / "store") in str(refusal.value)
        first.kill()
    DiskTier(tmp_path / "store", 2**24).close()


def test_two_writers_in_one_process_are_refused_too_and_an_unreadable_lock_file_says_so(store):
    (store.folder / "writer.lock").write_bytes(b"[" * 3000)
    with pytest.raises(PoolError, match="another process, which has not said who it is"):
        DiskTier(store.folder, store.budget_bytes)


def test_a_reader_beside_the_writer_sees_what_is_committed_and_misses_what_is_collected(store):
    (kept,) = store.save(record("a"), [vector(VectorKind.PREFIX, 1, 100_000)])
    (gone,) = store.save(record("b"), [vector(VectorKind.PREFIX, 2, 100_000)])
    reader = DiskTier(store.folder, store.budget_bytes, read_only=True)
    assert [found.context_id for found, _, _ in reader.contexts()] == ["a", "b"]
    store.remove_context("b")
    store.collect()
    with pytest.raises(VectorGoneError):
        reader.load(gone)
    assert np.array_equal(reader.load(kept), content(1, 100_000))
    (added,) = store.save(record("c"), [vector(VectorKind.PREFIX, 3, 100_000)])
    assert np.array_equal(reader.load(added), content(3, 100_000))
    assert reader.verify().contexts == 2
    for refused in (
        lambda: reader.save(record("d"), []),
        lambda: reader.remove_context("a"),
        lambda: reader.set_pinned(["a"], True),
        reader.collect,
    ):
        with pytest.raises(PoolError, match="read-only"):
            refused()
    reader.close()


def test_a_pack_vanishing_under_a_reader_is_an_error_it_can_name(store):
    (number,) = store.save(record("a"), [vector(VectorKind.PREFIX, 1, 100_000)])
    reader = DiskTier(store.folder, store.budget_bytes, read_only=True)
    pack_files(store)[0].unlink()
    with pytest.raises(DamagedVectorError, match=f"vector {number}"):
        reader.load(number)
    assert len(list(reader.contexts())) == 1
    reader.close()


def test_reading_a_store_that_is_not_there_creates_nothing(tmp_path):
    with pytest.raises(PoolError, match=str(tmp_path / "none")):
        DiskTier(tmp_path / "none", MEGABYTE, read_only=True)
    assert list(tmp_path.iterdir()) == []
